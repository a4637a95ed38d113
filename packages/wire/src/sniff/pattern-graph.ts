/**
 * A pattern as a graph whose walks from the start to `ACCEPT` spell what matches. Assertions look at the bytes beside a
 * place, so what matters of a place is the kind of the byte before and after it.
 * Invariant: `isLive` says no exactly where no bytes whatever lead to a match any more.
 */
import type { Assertion, ByteSet, PatternNode } from './pattern-syntax.ts'
import { invalid, parsePattern } from './pattern-syntax.ts'

/** What stands beside a place: no byte (the border of the stream), a letter, digit or `_`, or another byte. */
export type Neighbour = typeof NOBODY | typeof WORD | typeof OTHER
export const NOBODY = 0
export const WORD = 1
const OTHER = 2
export const NEIGHBOURS: readonly Neighbour[] = [NOBODY, WORD, OTHER]

/** The node at which a match is found. */
export const ACCEPT = 0

/** A byte of `set`, a place where `assertion` holds, or nothing leads to the nodes `to`. */
export interface GraphNode {
  readonly set?: ByteSet
  readonly assertion?: Assertion
  readonly to: number[]
}

export interface PatternGraph {
  readonly nodes: readonly GraphNode[]
  readonly start: number
  /** Can a match be reached from `node` with a byte of the kind `before` in front of it? */
  isLive(node: number, before: Neighbour): boolean
}

/** More would make a step slow. */
const MOST_NODES = 2_000
const WORD_BYTE: readonly boolean[] = Array.from({ length: 256 }, (_, byte) =>
  /\w/.test(String.fromCharCode(byte)),
)

export function neighbourOf(byte: number): Neighbour {
  return WORD_BYTE[byte] ? WORD : OTHER
}

/** @throws SapwoodError `BYTES_PATTERN_INVALID`; see `parsePattern`. */
export function patternGraph(text: string): PatternGraph {
  const nodes: GraphNode[] = [{ to: [] }]
  const start = build(parsePattern(text), ACCEPT)
  const live = liveness(nodes)
  return {
    nodes,
    start,
    isLive: (node, before) => NEIGHBOURS.some((after) => live[place(node, before, after)]),
  }

  function add(node: GraphNode): number {
    if (nodes.length >= MOST_NODES) throw invalid(text, 'it is too large; count less in `{…}`')
    return nodes.push(node) - 1
  }

  /** The node at which `tree` begins if `next` comes behind it. */
  function build(tree: PatternNode, next: number): number {
    switch (tree.kind) {
      case 'byte':
        return add({ set: tree.set, to: [next] })
      case 'assertion':
        return add({ assertion: tree.assertion, to: [next] })
      case 'sequence':
        return tree.items.reduceRight((behind, item) => build(item, behind), next)
      case 'choice':
        return add({ to: tree.items.map((item) => build(item, next)) })
      case 'repeat':
        return buildRepeat(tree.item, tree.least, tree.most, next)
    }
  }

  function buildRepeat(item: PatternNode, least: number, most: number, next: number): number {
    let behind = next
    if (most === Number.POSITIVE_INFINITY) {
      const to = [next]
      behind = add({ to })
      to.push(build(item, behind))
    } else {
      for (let i = least; i < most; i++) behind = add({ to: [next, build(item, behind)] })
    }
    for (let i = 0; i < least; i++) {
      const begin = build(item, behind)
      // an item without nodes is the same however often
      if (begin === behind) break
      behind = begin
    }
    return behind
  }
}

/** Does it hold between two neighbours? */
export function holds(assertion: Assertion, before: Neighbour, after: Neighbour): boolean {
  switch (assertion) {
    case 'start':
      return before === NOBODY
    case 'end':
      return after === NOBODY
    case 'border':
      return (before === WORD) !== (after === WORD)
    case 'inside':
      return (before === WORD) === (after === WORD)
  }
}

/** For each node between two neighbours, whether it leads to a match; grown from `ACCEPT` until nothing is added. */
function liveness(nodes: readonly GraphNode[]): readonly boolean[] {
  const live = new Array<boolean>(nodes.length * 9).fill(false)
  const kinds = nodes.map(({ set }) => [false, has(set, WORD), has(set, OTHER)])
  live.fill(true, ACCEPT, ACCEPT + 9)
  for (let grown = true; grown; ) {
    grown = false
    for (const [index, node] of nodes.entries()) {
      for (let at = index * 9; at < index * 9 + 9; at++) {
        if (live[at] || !leadsOn(node, index, at)) continue
        live[at] = true
        grown = true
      }
    }
  }
  return live

  function leadsOn({ set, assertion, to }: GraphNode, index: number, at: number): boolean {
    const before = Math.floor((at % 9) / 3) as Neighbour
    const after = (at % 3) as Neighbour
    if (set !== undefined) {
      const [next = ACCEPT] = to
      return (
        kinds[index]?.[after] === true && NEIGHBOURS.some((then) => live[place(next, after, then)])
      )
    }
    if (assertion !== undefined && !holds(assertion, before, after)) return false
    return to.some((next) => live[place(next, before, after)])
  }
}

function has(set: ByteSet | undefined, kind: Neighbour): boolean {
  return set?.some((isMeant, byte) => isMeant && neighbourOf(byte) === kind) ?? false
}

function place(node: number, before: Neighbour, after: Neighbour): number {
  return node * 9 + before * 3 + after
}
