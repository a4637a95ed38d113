/**
 * The byte cutter: the same bytes in many divisions, as a network may bring them. A codec is right only if
 * it says the same of every one of them.
 * Invariant: the chunks of a cut, joined, are the bytes; every chunk is a copy of its own, so a codec that
 * keeps a view on a reused buffer is found out.
 */
import { randomNumbers } from './random.ts'

export interface CutOptions {
  /** How many random divisions there are besides the whole, the byte by byte and the two-way ones. */
  readonly random?: number
  /** The same seed gives the same cuts. */
  readonly seed?: number
  /** Two-way cuts are made at every place up to this many; beyond it, at that many evenly spread places. */
  readonly twoWay?: number
}

/** One division of the bytes. */
export interface Cut {
  /** What to say in a failure: `whole`, `byte by byte`, `at 17`, `random 3`. */
  readonly name: string
  readonly chunks: readonly Uint8Array[]
}

/**
 * Gives `bytes` whole, byte by byte, cut in two at every place, and in seeded random pieces, some of them
 * empty.
 * @example
 * for (const { name, chunks } of cuts(bytes)) t.same(decodeAll(chunks), expected, name)
 */
export function* cuts(bytes: Uint8Array | string, options: CutOptions = {}): Generator<Cut> {
  const whole = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes
  yield { name: 'whole', chunks: [whole.slice()] }
  yield { name: 'byte by byte', chunks: Array.from(whole, (byte) => Uint8Array.of(byte)) }
  const inner = Math.max(0, whole.length - 1)
  const places = Math.min(inner, options.twoWay ?? 2_000)
  for (let i = 0; i < places; i++) {
    const at = 1 + Math.floor((i * inner) / places)
    yield { name: `at ${at}`, chunks: [whole.slice(0, at), whole.slice(at)] }
  }
  const random = randomNumbers(options.seed ?? 1)
  for (let i = 0; i < (options.random ?? 20); i++) {
    yield { name: `random ${i}`, chunks: randomPieces(whole, random) }
  }
}

function randomPieces(bytes: Uint8Array, random: () => number): Uint8Array[] {
  const chunks: Uint8Array[] = []
  // small and large pieces in turn: most mistakes sit where a piece ends inside a head or spans two messages
  const most = 1 + Math.floor(random() * Math.max(2, bytes.length))
  for (let at = 0; at < bytes.length; ) {
    const length = random() < 0.1 ? 0 : 1 + Math.floor(random() * most)
    chunks.push(bytes.slice(at, at + length))
    at += length
  }
  return chunks
}
