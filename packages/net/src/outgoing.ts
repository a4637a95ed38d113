/**
 * What is sent on a connection: frames become bytes at once, and wait for a link that takes no more than it can.
 * Invariant: a link holds little more than its limit; what waits here is bounded by `limits.queue` and one frame.
 */
import type { Framer } from '@sapwood/wire'
import type { NetCounters } from './counters.ts'
import type { Deadlines } from './deadlines.ts'
import type { Link } from './link.ts'
import { Output } from './output.ts'

export class Outgoing {
  frames = 0
  bytes = 0
  /** `push` was answered with false, and there was no room since. */
  full = false
  /** Where it leaves; another one once a wrapper is around it. */
  link: Link
  readonly #queue: Output = new Output()
  readonly #makeFramer: () => Framer<unknown>
  readonly #counters: NetCounters
  readonly #deadlines: Deadlines
  #framer: Framer<unknown> | undefined
  #ended = false

  constructor(
    link: Link,
    makeFramer: () => Framer<unknown>,
    counters: NetCounters,
    deadlines: Deadlines,
  ) {
    this.link = link
    this.#makeFramer = makeFramer
    this.#counters = counters
    this.#deadlines = deadlines
  }

  get framer(): Framer<unknown> {
    this.#framer ??= this.#makeFramer()
    return this.#framer
  }

  /** Undefined brings the first one back. */
  set framer(framer: Framer<unknown> | undefined) {
    this.#framer = framer
  }

  /** Bytes that have not been given to the link. */
  get queued(): number {
    return this.#queue.size
  }

  /** Bytes that have not left this process. */
  get waiting(): number {
    return this.#queue.size + this.link.waiting
  }

  /** Bytes that may be pushed before `push` says false. */
  get room(): number {
    return Math.max(0, this.link.limit - this.waiting)
  }

  /**
   * Has a frame wait for `write`. False if there is no room for more.
   * @param waiting what waits so far: the caller has just asked, and streams take long to answer.
   */
  push(frame: unknown, waiting: number): boolean {
    const bytes = (this.#framer ?? this.framer).encode(frame)
    this.#queue.push(bytes)
    this.#sent()
    if (waiting + bytes.length < this.link.limit) return true
    this.full = true
    return false
  }

  /** Sends a frame as a datagram. False if it was dropped. */
  datagram(frame: unknown): boolean {
    const bytes = this.framer.encode(frame)
    if (!this.link.write(bytes)) return false
    this.#sent()
    this.#wrote(bytes.length)
    return true
  }

  /** Writes what the link takes; and that no more comes, if this is the last and nothing waits. */
  write(last: boolean): void {
    const { link } = this
    const queue = this.#queue
    if (link.waiting === 0) this.#deadlines.writing(false)
    while (queue.size > 0 && link.waiting < link.limit) this.#writeSome(link.limit)
    const waits = link.waiting > 0
    this.#deadlines.writing(waits)
    if (!last || this.#ended || queue.size > 0) return
    this.#ended = true
    link.end()
    if (!waits) this.#deadlines.linger()
  }

  /** Writes all that waits, whatever the link takes. */
  writeAll(): void {
    while (this.#queue.size > 0) this.#writeSome(this.#queue.size)
  }

  /** The link holds nothing any more. True if more can be written, false if that was all. */
  emptied(): boolean {
    this.#deadlines.writing(false)
    if (this.#ended) this.#deadlines.linger()
    return !this.#ended
  }

  /** Forgets what waits. */
  clear(): void {
    this.#queue.clear()
  }

  #writeSome(most: number): void {
    const bytes = this.#queue.take(most)
    this.link.write(bytes)
    this.#wrote(bytes.length)
  }

  #sent(): void {
    this.frames++
    this.#counters.framesSent++
  }

  #wrote(length: number): void {
    this.bytes += length
    this.#counters.bytesSent += length
    this.#deadlines.active()
  }
}
