/**
 * The open streams of a session, and which ids there were. Ids of one end grow by two and most streams are short, so a slot
 * by the id's lower bits finds nearly all; what lives on while the slots come round again stands in a map.
 * Invariant: `own` and `foreign` are the numbers of streams in the table; an id is known for good once it was there.
 */
import { PipeStream } from './pipe-stream.ts'

const SLOTS = 1_024

export class StreamTable {
  #slots: (PipeStream | undefined)[] = []
  readonly #others: Map<number, PipeStream> = new Map()
  /** What is left over when ids of this end are divided by two. */
  readonly #ownParity: number
  /** The id of the next stream of this end. */
  #next: number
  #last = 0
  #own = 0
  #foreign = 0

  constructor(isDialler: boolean) {
    this.#ownParity = isDialler ? 1 : 0
    this.#next = isDialler ? 1 : 2
  }

  /** Open streams, whoever opened them. */
  get size(): number {
    return this.#own + this.#foreign
  }

  /** Those that this end opened. */
  get own(): number {
    return this.#own
  }

  /** Those that the peer opened. */
  get foreign(): number {
    return this.#foreign
  }

  /** The greatest id of the peer so far. */
  get last(): number {
    return this.#last
  }

  /** The id of the next stream of this end. */
  get next(): number {
    return this.#next
  }

  get(id: number): PipeStream | undefined {
    const stream = this.#slots[id & (SLOTS - 1)]
    if (stream !== undefined && stream.id === id) return stream
    return this.#others.size === 0 ? undefined : this.#others.get(id)
  }

  /** Opens the next stream of this end. @param credit what may be sent before CREDIT comes. */
  open(credit: number): PipeStream {
    const stream = new PipeStream(this.#next, true, credit)
    this.#next += 2
    this.#own++
    this.#add(stream)
    return stream
  }

  /** Opens a stream of the peer, with an id that `opens` allowed. */
  accept(id: number, credit: number): PipeStream {
    const stream = new PipeStream(id, false, credit)
    this.#last = id
    this.#foreign++
    this.#add(stream)
    return stream
  }

  delete(stream: PipeStream): void {
    const slot = stream.id & (SLOTS - 1)
    if (this.#slots[slot] === stream) this.#slots[slot] = undefined
    else if (!this.#others.delete(stream.id)) return
    if (stream.own) this.#own--
    else this.#foreign--
  }

  /** May the peer open a stream with this id? */
  opens(id: number): boolean {
    return !this.#isOwn(id) && id > this.#last
  }

  /** Was there ever such a stream? */
  knows(id: number): boolean {
    return id > 0 && (this.#isOwn(id) ? id < this.#next : id <= this.#last)
  }

  /** A copy, so that streams may end while it is read. */
  all(): PipeStream[] {
    return this.#slots.filter((stream) => stream !== undefined).concat(...this.#others.values())
  }

  #add(stream: PipeStream): void {
    const slot = stream.id & (SLOTS - 1)
    // grown in order, so that an idle session has few slots and a busy one no holes
    while (this.#slots.length <= slot) this.#slots.push(undefined)
    const former = this.#slots[slot]
    if (former !== undefined) this.#others.set(former.id, former)
    this.#slots[slot] = stream
  }

  #isOwn(id: number): boolean {
    return id % 2 === this.#ownParity
  }
}
