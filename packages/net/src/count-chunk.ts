/**
 * The memory of chunks that pass through. Node reads each chunk into memory beside V8's heap, up to 64 KiB of it for
 * one small object on the heap. V8 counts both, and marks its whole heap when about 20 MB have come by, dead or not:
 * that was a quarter of what a body cost. A scavenge finds the dead ones for a tenth of it, but V8 runs one only when
 * the heap has filled with small objects. So who reads what may be large says how much it was, and every 4 MiB are
 * followed by a scavenge.
 * Invariant: none within a read, and at most one waits; without one everything still works, as V8 would have it.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Bytes between two scavenges. */
const EACH = 4 * 1024 * 1024

let bytesPassed = 0
let waits = false
let collect: Collect | undefined

/**
 * A chunk was read. It costs an addition.
 * @param bytes of it.
 * @example socket.on('data', (chunk) => countChunk(chunk.length))
 */
export function countChunk(bytes: number): void {
  bytesPassed += bytes
  if (bytesPassed < EACH || waits) return
  waits = true
  setImmediate(scavenge)
}

function scavenge(): void {
  bytesPassed = 0
  waits = false
  collect ??= collector()
  collect({ type: 'minor' })
}

/** V8 shows its collector in contexts that are made while its flag is set, so one is made, unless all have it. */
function collector(): Collect {
  const { gc: known } = globalThis as { gc?: Collect }
  if (known !== undefined) return known
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('globalThis.gc') as Collect | undefined
  setFlagsFromString('--no-expose-gc')
  return gc ?? (() => undefined)
}

type Collect = (options: { readonly type: 'minor' }) => void
