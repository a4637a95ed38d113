/**
 * The numbered frames of one direction, from the first that the peer has not acknowledged: what goes to a link and what is
 * kept for the next are the same bytes, written once.
 * Small frames stand in slabs behind each other; a large payload is a block of its own, by reference.
 * Invariant: the blocks from the first to the last are the frames `acknowledged + 1` to `last` without a gap (and at
 * most the rest of a slab in front); what stands in them does not change until they are acknowledged.
 */
import { FRAME_HEAD, writeFrameHead } from './pipe-frame.ts'

const LEAST_SLAB = 2_048
const MOST_SLAB = 65_536
/** Payloads from here on are not copied. */
const LARGE = 4_096

class Block {
  readonly bytes: Uint8Array
  readonly from: number
  to: number
  /** Whether `bytes` is the caller's. */
  readonly foreign: boolean
  /** The first frame that begins here; 0 before there is one. */
  first = 0
  /** The last frame that a byte of stands here. */
  last: number
  /** The last frame that ends here or before. */
  whole: number
  next: Block | undefined

  constructor(bytes: Uint8Array, from: number, to: number, foreign: boolean, last: number) {
    this.bytes = bytes
    this.from = from
    this.to = to
    this.foreign = foreign
    this.last = this.whole = last
  }
}

export class SentLog {
  readonly #allocate: (size: number) => Uint8Array
  #head: Block | undefined
  #tail: Block | undefined
  #slab: Uint8Array | undefined
  #at = 0
  #last = 0
  #acknowledged = 0
  #kept = 0
  /** What goes to the link next. */
  #cursor: Block | undefined
  #cursorAt = 0
  #unsent = 0
  #handed = 0
  #handedEver = 0

  constructor(allocate: (size: number) => Uint8Array) {
    this.#allocate = allocate
  }

  /** The number of the last frame. */
  get last(): number {
    return this.#last
  }

  get acknowledged(): number {
    return this.#acknowledged
  }

  /** The last frame that went to the link whole, or was received by the peer before. */
  get handed(): number {
    return this.#handed
  }

  /** The last frame of which any part ever went to a link. */
  get handedEver(): number {
    return this.#handedEver
  }

  /** Bytes that are kept. */
  get kept(): number {
    return this.#kept
  }

  /** Bytes that have not gone to this link. */
  get unsent(): number {
    return this.#unsent
  }

  /** Makes room for a frame with up to `most` bytes of payload. Its head and payload are written at `at` of `slab`. */
  reserve(most: number): void {
    const size = FRAME_HEAD + most
    const slab = this.#slab
    if (slab !== undefined && this.#tail?.foreign === false && this.#at + size <= slab.length)
      return
    if (slab === undefined || this.#at + size > slab.length) this.#newSlab(size)
    this.#append(new Block(this.#slab as Uint8Array, this.#at, this.#at, false, this.#last))
  }

  get slab(): Uint8Array {
    return this.#slab as Uint8Array
  }

  get at(): number {
    return this.#at
  }

  /** The frame at `at` is written and ends at `end`: it gets the next number. */
  commit(type: number, stream: number, end: number): void {
    const at = this.#at
    writeFrameHead(this.slab, at, type, stream, end - at - FRAME_HEAD)
    const tail = this.#tail as Block
    const number = ++this.#last
    if (tail.first === 0) tail.first = number
    tail.last = tail.whole = number
    tail.to = this.#at = end
    this.#kept += end - at
    this.#unsent += end - at
  }

  /** Adds a frame with this payload. A long one must not be changed afterwards. */
  add(type: number, stream: number, payload: Uint8Array): void {
    const { length } = payload
    if (length < LARGE) {
      this.reserve(length)
      const start = this.#at + FRAME_HEAD
      if (length > 0) this.slab.set(payload, start)
      this.commit(type, stream, start + length)
      return
    }
    this.reserve(0)
    const at = this.#at
    this.commit(type, stream, at + FRAME_HEAD)
    writeFrameHead(this.slab, at, type, stream, length)
    ;(this.#tail as Block).whole--
    this.#append(new Block(payload, 0, length, true, this.#last))
    this.#kept += length
    this.#unsent += length
  }

  /** The next bytes for the link, whole frames or the rest of one; undefined if there are none. */
  take(): Uint8Array | undefined {
    if (this.#unsent === 0) return undefined
    let block = this.#cursor as Block
    while (this.#cursorAt === block.to) {
      block = block.next as Block
      this.#cursorAt = block.from
    }
    this.#cursor = block
    const piece = block.bytes.subarray(this.#cursorAt, block.to)
    this.#cursorAt = block.to
    this.#unsent -= piece.length
    this.#handed = block.whole
    if (block.last > this.#handedEver) this.#handedEver = block.last
    return piece
  }

  /** Is the last that was taken the head of a frame whose payload is next? */
  get broken(): boolean {
    return (
      this.#unsent > 0 && this.#cursor?.next?.foreign === true && this.#cursorAt === this.#cursor.to
    )
  }

  /** The peer has processed all frames up to `number`, which went to this link. */
  acknowledge(number: number): void {
    if (number <= this.#acknowledged) return
    this.#acknowledged = number
    let block = this.#head
    while (block !== undefined && block.last <= number) {
      this.#kept -= block.to - block.from
      const { next } = block
      if (block === this.#cursor && next !== undefined) {
        this.#cursor = next
        this.#cursorAt = next.from
      }
      // one that has grown old in memory would keep those that follow it from being freed young
      block.next = undefined
      block = next
    }
    this.#head = block
    if (block === undefined) {
      this.#tail = this.#cursor = undefined
      // nothing stands in the slab any more
      this.#at = 0
    }
  }

  /** A new link begins: all frames behind `number` go to it. */
  rewind(number: number): void {
    this.acknowledge(number)
    this.#handed = number
    let block = this.#head
    let at = block?.from ?? 0
    let next = block?.first ?? 0
    // the first block may begin with frames that are acknowledged
    while (block !== undefined && next <= number) {
      at += FRAME_HEAD + lengthAt(block.bytes, at)
      next++
      while (block !== undefined && at >= block.to) {
        at -= block.to
        block = block.next
        at += block?.from ?? 0
      }
    }
    this.#cursor = block
    this.#cursorAt = at
    this.#unsent = 0
    for (let each = block; each !== undefined; each = each.next) {
      this.#unsent += each.to - (each === block ? at : each.from)
    }
  }

  /** Forgets memory that only waits for more to come. */
  trim(): void {
    if (this.#head === undefined) this.#slab = undefined
  }

  /** Forgets all. */
  clear(): void {
    this.#head = this.#tail = this.#cursor = this.#slab = undefined
    this.#kept = this.#unsent = 0
  }

  #append(block: Block): void {
    if (this.#tail === undefined) this.#head = block
    else this.#tail.next = block
    this.#tail = block
    if (this.#cursor !== undefined) return
    this.#cursor = block
    this.#cursorAt = block.from
  }

  #newSlab(size: number): void {
    const former = this.#slab?.length ?? LEAST_SLAB / 2
    this.#slab = this.#allocate(Math.max(size, Math.min(MOST_SLAB, former * 2)))
    this.#at = 0
  }
}

function lengthAt(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number)
  )
}
