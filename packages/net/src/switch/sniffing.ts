/**
 * One connection that is being looked at: what came so far, since when, and which rule it may still be. It reads by
 * `readable` events, which leave the end of the stream in the socket, so that whoever takes the connection is told it.
 * Invariant: it ends exactly once, by a decision or because the client left, and leaves neither timer nor listener.
 */
import type { Socket } from 'node:net'
import type { Timed } from '@sapwood/core'
import { Timer } from '@sapwood/core'

/** Who decides what becomes of it. */
export interface Looker {
  /** Something has changed: more bytes, the end, or the time is up. */
  look(sniffing: Sniffing): void
  /** The client is gone. */
  left(sniffing: Sniffing): void
}

/** Room that is made at least when a second packet joins the first, in bytes. */
const LEAST = 512

/** The sniffing that a socket is under: one set of listeners serves all sockets. */
const SNIFFING: unique symbol = Symbol('sniffing')
type Sniffed = Socket & { [SNIFFING]?: Sniffing | undefined }

export class Sniffing implements Timed {
  readonly socket: Socket
  readonly timer: Timer = new Timer(this)
  /** The peer has ended its side. */
  ended = false
  /** The time is up. */
  late = false
  /** Index of the rule that said yes, while the head that it rewrites is not complete. */
  chosen: number | undefined
  readonly #looker: Looker
  #bytes: Uint8Array
  #length: number

  /** @param replay what was read of the socket before. */
  constructor(looker: Looker, socket: Socket, replay: Uint8Array) {
    this.#looker = looker
    this.socket = socket
    this.#bytes = replay
    this.#length = replay.length
    const marked: Sniffed = socket
    marked[SNIFFING] = this
    socket.on('close', onClose)
    socket.on('readable', onReadable)
  }

  /** How many bytes came. */
  get length(): number {
    return this.#length
  }

  /** The first bytes, all or at most `most`. Each view is an object of its own: matchers remember answers by view. */
  view(most: number = this.#length): Uint8Array {
    return this.#bytes.subarray(0, Math.min(this.#length, most))
  }

  /** Reads no more. */
  end(): void {
    const { socket } = this
    const marked: Sniffed = socket
    marked[SNIFFING] = undefined
    socket.off('readable', onReadable)
    socket.off('close', onClose)
  }

  /** Called by the wheel. */
  expired(): void {
    this.late = true
    this.#looker.look(this)
  }

  /** Called by the socket: more has come, or the end. */
  readable(): void {
    const { socket } = this
    const { readableLength } = socket
    // asked for no more than there is, it keeps its end for whoever reads it next
    if (readableLength > 0) this.#add(socket.read(readableLength) as Buffer)
    this.ended = hasEnded(socket)
    this.#looker.look(this)
  }

  /** Called by the socket. */
  closed(): void {
    this.#looker.left(this)
  }

  /** Grows by doubling: of a client that sends single bytes not each may copy all before it (W5). */
  #add(chunk: Uint8Array): void {
    const length = this.#length + chunk.length
    if (this.#length === 0) this.#bytes = chunk
    else {
      if (length > this.#bytes.length) {
        const grown = new Uint8Array(Math.max(LEAST, 2 * length))
        grown.set(this.view())
        this.#bytes = grown
      }
      this.#bytes.set(chunk, this.#length)
    }
    this.#length = length
  }
}

/** Did the peer's end come with what was read? No event tells it, and asking by a read would use it up. */
function hasEnded(socket: Socket): boolean {
  return (socket as Socket & { _readableState: { ended: boolean } })._readableState.ended
}

function onReadable(this: Sniffed): void {
  this[SNIFFING]?.readable()
}

function onClose(this: Sniffed): void {
  this[SNIFFING]?.closed()
}
