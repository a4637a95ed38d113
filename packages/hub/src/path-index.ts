/**
 * The retained paths by their segments, to find those that a pattern matches without looking at the rest.
 * It is the matcher turned round: there patterns are stored and a path is asked for, here paths are stored.
 * Invariant: a path that is removed leaves no node behind.
 */
import { isPlainPath } from '@sapwood/core'

class Node<T> {
  readonly children = new Map<string, Node<T>>()
  value: T | undefined
}

export class PathIndex<T> {
  readonly #root = new Node<T>()

  set(path: string, value: T): void {
    let node = this.#root
    for (const segment of path.split('/')) {
      const next = node.children.get(segment) ?? new Node<T>()
      node.children.set(segment, next)
      node = next
    }
    node.value = value
  }

  delete(path: string): void {
    remove(this.#root, path.split('/'), 0)
  }

  /** Calls `found` for each path that `pattern` matches until it returns false. */
  each(pattern: string, found: (value: T) => boolean): void {
    walk(this.#root, pattern.split('/'), 0, found)
  }
}

/** False when `found` had enough. */
function walk<T>(
  node: Node<T>,
  segments: readonly string[],
  depth: number,
  found: (value: T) => boolean,
): boolean {
  const segment = segments[depth]
  if (segment === undefined) return node.value === undefined || found(node.value)
  if (segment === '**') return below(node, depth === 0, found)
  if (segment !== '*') {
    const next = node.children.get(segment)
    return next === undefined || walk(next, segments, depth + 1, found)
  }
  for (const child of children(node, depth === 0)) {
    if (!walk(child, segments, depth + 1, found)) return false
  }
  return true
}

/** What a wildcard may stand for: at the first level neither control nor direct paths. */
function children<T>(node: Node<T>, root: boolean): Iterable<Node<T>> {
  if (!root) return node.children.values()
  const plain: Node<T>[] = []
  for (const [name, child] of node.children) if (isPlainPath(name)) plain.push(child)
  return plain
}

function below<T>(node: Node<T>, root: boolean, found: (value: T) => boolean): boolean {
  if (node.value !== undefined && !found(node.value)) return false
  for (const child of children(node, root)) {
    if (!below(child, false, found)) return false
  }
  return true
}

function remove<T>(node: Node<T>, segments: readonly string[], depth: number): boolean {
  const segment = segments[depth]
  if (segment === undefined) node.value = undefined
  else {
    const next = node.children.get(segment)
    if (next !== undefined && remove(next, segments, depth + 1)) node.children.delete(segment)
  }
  return node.value === undefined && node.children.size === 0
}
