/**
 * A pattern as an automaton that takes bytes one at a time. Its states are made when bytes first lead to them and are shared
 * by all connections, so a byte costs a look into a table.
 * Invariant: at most `MOST_STATES` are kept; beyond that all are forgotten and made anew, which costs time and nothing else.
 */
import type { Neighbour, PatternGraph } from './pattern-graph.ts'
import { ACCEPT, holds, NEIGHBOURS, NOBODY, neighbourOf, patternGraph } from './pattern-graph.ts'
import type { ByteSet } from './pattern-syntax.ts'
import { invalid } from './pattern-syntax.ts'
import type { Verdict } from './sniffed.ts'

/** What is known after some bytes. */
export interface PatternState {
  /** `yes`: a match is there. `no`: there is none whatever comes. */
  readonly verdict: Verdict
  /** Is there a match if nothing more comes? */
  readonly isMatchAtEnd: boolean
  readonly before: Neighbour
  /** The nodes of the graph where walks stand. */
  readonly places: readonly number[]
  /** By group of bytes; made when first needed. */
  readonly next: (PatternState | undefined)[]
}

const MOST_STATES = 1_000

export class PatternAutomaton {
  /** Can it match at the first byte only? Otherwise it never says no. */
  readonly isAnchored: boolean
  readonly #graph: PatternGraph
  /** The group of each byte: bytes of one group are the same to the pattern. */
  readonly #groups: Uint8Array
  #states = new Map<string, PatternState>()
  #first: PatternState | undefined

  /** @throws SapwoodError `BYTES_PATTERN_INVALID` for a pattern that it cannot be, or that nothing matches. */
  constructor(text: string) {
    this.#graph = patternGraph(text)
    const { start } = this.#graph
    this.isAnchored = NEIGHBOURS.every(
      (before) => before === NOBODY || !this.#graph.isLive(start, before),
    )
    if (this.isAnchored && !this.#graph.isLive(start, NOBODY)) {
      throw invalid(text, 'no bytes match it')
    }
    this.#groups = groupsOf(
      this.#graph.nodes.flatMap(({ set }) => (set === undefined ? [] : [set])),
    )
  }

  /** After all of `bytes`, or as many as it takes to know. */
  after(bytes: Uint8Array): PatternState {
    const groups = this.#groups
    this.#first ??= this.#state(new Set([this.#graph.start]), NOBODY)
    let state = this.#first
    for (let i = 0; i < bytes.length && state.verdict === 'more'; i++) {
      const byte = bytes[i] as number
      const group = groups[byte] as number
      let next = state.next[group]
      if (next === undefined) {
        next = this.#step(state, byte)
        state.next[group] = next
      }
      state = next
    }
    return state
  }

  #step(state: PatternState, byte: number): PatternState {
    const { nodes, start, isLive } = this.#graph
    const before = neighbourOf(byte)
    const reached = this.#reached(state.places, state.before, before)
    if (reached.has(ACCEPT)) return FOUND
    const places = new Set<number>()
    for (const place of reached) {
      const { set, to } = nodes[place] ?? NOWHERE
      const [next = ACCEPT] = to
      if (set?.[byte] && isLive(next, before)) places.add(next)
    }
    // a match may begin at each byte
    if (isLive(start, before)) places.add(start)
    return this.#state(places, before)
  }

  /** The one state of these places. */
  #state(places: ReadonlySet<number>, before: Neighbour): PatternState {
    if (places.size === 0 && this.isAnchored) return DEAD
    const sorted = [...places].sort((a, b) => a - b)
    const key = `${before} ${sorted.join(' ')}`
    let state = this.#states.get(key)
    if (state === undefined) {
      if (this.#states.size >= MOST_STATES) {
        this.#states = new Map()
        this.#first = undefined
      }
      state = this.#newState(sorted, before)
      this.#states.set(key, state)
    }
    return state
  }

  #newState(places: readonly number[], before: Neighbour): PatternState {
    const accepted = NEIGHBOURS.map((after) => this.#reached(places, before, after).has(ACCEPT))
    if (accepted.every((isAccepted) => isAccepted)) return FOUND
    return { verdict: 'more', isMatchAtEnd: accepted[NOBODY] ?? false, before, places, next: [] }
  }

  /** All nodes that can be reached without taking a byte. */
  #reached(places: readonly number[], before: Neighbour, after: Neighbour): ReadonlySet<number> {
    const reached = new Set(places)
    // what is added to a set while it is walked is walked too
    for (const place of reached) {
      const { set, assertion, to } = this.#graph.nodes[place] ?? NOWHERE
      if (set !== undefined || (assertion !== undefined && !holds(assertion, before, after)))
        continue
      for (const next of to) reached.add(next)
    }
    return reached
  }
}

const NOWHERE: { set?: ByteSet; assertion?: never; to: readonly number[] } = { to: [] }
const FOUND: PatternState = {
  verdict: 'yes',
  isMatchAtEnd: true,
  before: NOBODY,
  places: [],
  next: [],
}
const DEAD: PatternState = {
  verdict: 'no',
  isMatchAtEnd: false,
  before: NOBODY,
  places: [],
  next: [],
}

/** Bytes that no set and no assertion tells apart get one number. */
function groupsOf(sets: readonly ByteSet[]): Uint8Array {
  let groups = Uint8Array.from({ length: 256 }, (_, byte) => neighbourOf(byte))
  for (const set of new Set(sets)) {
    const numbers = new Map<number, number>()
    groups = groups.map((group, byte) => {
      const pair = group * 2 + (set[byte] ? 1 : 0)
      const number = numbers.get(pair) ?? numbers.size
      numbers.set(pair, number)
      return number
    })
  }
  return groups
}
