/**
 * Which values stand under the patterns that match a path. Patterns without a wildcard are one look-up in a
 * map; the others form a trie with, per node, its literal children, its `*` child and what stands at `**`.
 * Invariant: matching visits at most min(2^depth, stored nodes) of it, and removing the last value of a pattern
 * leaves no trace of that pattern.
 */
import { hasWildcard, isPlainPath } from './path.ts'

class Node<T> {
  literals: Map<string, Node<T>> | undefined
  star: Node<T> | undefined
  /** Values of the pattern that ends here. */
  values: Set<T> | undefined
  /** Values of the pattern that ends in `**` here. */
  rest: Set<T> | undefined

  get empty(): boolean {
    return (this.star ?? this.values ?? this.rest ?? this.literals) === undefined
  }
}

export class Matcher<T> {
  readonly #exact = new Map<string, Set<T>>()
  /** Of plain patterns, and those that begin with a wildcard. */
  readonly #plain = new Node<T>()
  /** Of control and direct patterns: which no wildcard at the beginning reaches. */
  readonly #special = new Node<T>()
  /** Another one whenever what is matched may have changed. */
  version = 0

  /** Puts `value` under a valid `pattern`. False if it stood there. */
  add(pattern: string, value: T): boolean {
    const values = hasWildcard(pattern) ? this.#wild(pattern) : this.#literal(pattern)
    if (values.has(value)) return false
    values.add(value)
    this.version++
    return true
  }

  /** Takes `value` from under `pattern`. False if it did not stand there. */
  remove(pattern: string, value: T): boolean {
    this.version++
    if (hasWildcard(pattern)) return removeFrom(this.#rootOf(pattern), pattern.split('/'), 0, value)
    const values = this.#exact.get(pattern)
    if (values === undefined || !values.delete(value)) return false
    if (values.size === 0) this.#exact.delete(pattern)
    return true
  }

  /** The values of each pattern that matches `path`, none of these sets empty. A value may be in several. */
  match(path: string): Set<T>[] {
    const exact = this.#exact.get(path)
    const groups = exact === undefined ? [] : [exact]
    collect(this.#rootOf(path), path, 0, groups)
    return groups
  }

  #rootOf(path: string): Node<T> {
    return isPlainPath(path) ? this.#plain : this.#special
  }

  #literal(pattern: string): Set<T> {
    const values = this.#exact.get(pattern) ?? new Set<T>()
    this.#exact.set(pattern, values)
    return values
  }

  #wild(pattern: string): Set<T> {
    let node = this.#rootOf(pattern)
    for (const segment of pattern.split('/')) {
      if (segment === '**') {
        node.rest ??= new Set()
        return node.rest
      }
      node = segment === '*' ? starOf(node) : literalOf(node, segment)
    }
    node.values ??= new Set()
    return node.values
  }
}

function starOf<T>(node: Node<T>): Node<T> {
  node.star ??= new Node()
  return node.star
}

function literalOf<T>(node: Node<T>, segment: string): Node<T> {
  node.literals ??= new Map()
  const next = node.literals.get(segment) ?? new Node<T>()
  node.literals.set(segment, next)
  return next
}

/** Segments are cut when they are looked up: most paths end at the first that is in no pattern. */
function collect<T>(node: Node<T>, path: string, start: number, groups: Set<T>[]): void {
  const { values, rest, star, literals } = node
  if (rest !== undefined) groups.push(rest)
  if (start > path.length) {
    if (values !== undefined) groups.push(values)
    return
  }
  const slash = path.indexOf('/', start)
  const end = slash < 0 ? path.length : slash
  const next = literals?.get(path.slice(start, end))
  if (next !== undefined) collect(next, path, end + 1, groups)
  if (star !== undefined) collect(star, path, end + 1, groups)
}

function removeFrom<T>(
  node: Node<T>,
  segments: readonly string[],
  depth: number,
  value: T,
): boolean {
  const segment = segments[depth]
  if (segment === undefined || segment === '**') {
    const field = segment === undefined ? 'values' : 'rest'
    const values = node[field]
    if (values === undefined || !values.delete(value)) return false
    if (values.size === 0) node[field] = undefined
    return true
  }
  const next = segment === '*' ? node.star : node.literals?.get(segment)
  if (next === undefined || !removeFrom(next, segments, depth + 1, value)) return false
  if (next.empty) {
    if (segment === '*') node.star = undefined
    else {
      node.literals?.delete(segment)
      if (node.literals?.size === 0) node.literals = undefined
    }
  }
  return true
}
