/**
 * A connection as long as its requests come whole and are of the plain kind: most that back ends and machines send
 * are, and answering them so costs half of what a complete HTTP server takes. The first other one leaves it, with all
 * that follows, to that server.
 *
 *     state    whole request       wants to upgrade    anything else   answered          nothing for long
 *     idle     busy, or left       another protocol's  left            -                 closed; told why if it never spoke
 *     busy     kept, not read on   kept                kept            idle, or closed   -
 *
 * Invariant: one request at a time is with its taker; answers leave in the order of their requests; those that one read
 * brings about leave in one write.
 */
import type { Socket } from 'node:net'
import { WHOLE_HEAD_LIMIT, WholeRequestReader } from '@sapwood/wire'
import type { SocketReader } from '../socket-reader.ts'
import { isReadBy, readBy, release } from '../socket-reader.ts'
import { WholeRequest } from './whole-request.ts'
import type { ResponseOwner } from './whole-response.ts'
import { WholeResponse } from './whole-response.ts'

/** Where connections come from, and go. */
export interface ConnectionOwner {
  /** Milliseconds that a connection stays open without a request. */
  readonly keepAlive: number
  /** @returns false if somebody else shall answer. Then nothing was done. */
  take(request: WholeRequest, response: WholeResponse): boolean
  /**
   * The connection is to speak another protocol. It is for whoever takes it to read, or release, it.
   * @param first what came behind the head.
   */
  upgrade(connection: WholeConnection, request: WholeRequest, first: Buffer): void
  /** Takes the connection from now on; what was read and not used has been put back. */
  leave(connection: WholeConnection): void
  gone(connection: WholeConnection): void
}

/** Bytes that are kept behind a request, about. */
const KEPT = 65_536
const EMPTY_LINE = Buffer.from('\r\n\r\n')

export class WholeConnection implements ResponseOwner, SocketReader {
  readonly socket: Socket
  /** For how many milliseconds it has said nothing, as far as was looked. */
  silence = 0
  /** Has it ever sent something? */
  hasSpoken = false
  readonly #owner: ConnectionOwner
  readonly #reader = new WholeRequestReader()
  #response: WholeResponse | undefined = undefined
  /** What came behind a request that is not answered yet, and how many bytes that is. */
  #rest: Buffer[] = []
  #held = 0
  #isReading = false
  /** What is to be written when this read has been worked through. */
  #waiting = ''

  constructor(owner: ConnectionOwner, socket: Socket) {
    this.#owner = owner
    this.socket = socket
    readBy(socket, this)
  }

  get keepAlive(): number {
    return this.#owner.keepAlive
  }

  get isIdle(): boolean {
    return this.#response === undefined && this.#held === 0
  }

  send(text: string): void {
    if (this.#isReading) this.#waiting += text
    else if (this.socket.writable) this.socket.write(text, 'latin1')
  }

  write(data: Uint8Array): boolean {
    this.#flush()
    return !this.socket.writable || this.socket.write(data)
  }

  answered(response: WholeResponse): void {
    this.#response = undefined
    if (!response.shouldKeepAlive) {
      this.#flush()
      this.#forget()
      this.socket.destroySoon()
    } else if (this.#held > 0) process.nextTick(readOn, this)
  }

  read(chunk: Buffer): void {
    this.silence = 0
    this.hasSpoken = true
    if (this.isIdle) this.#work(chunk)
    else this.#keep(chunk)
  }

  /** @internal: the request before is answered. */
  readOn(): void {
    if (this.#held === 0 || this.#response !== undefined) return
    const rest = this.#rest.length === 1 ? (this.#rest[0] as Buffer) : Buffer.concat(this.#rest)
    this.#forget()
    this.socket.resume()
    this.#work(rest)
  }

  drained(): void {
    this.#response?.drained()
  }

  ended(): void {
    this.#forget()
    this.#owner.gone(this)
  }

  #work(chunk: Buffer): void {
    this.#isReading = true
    let at = 0
    let used = 1
    while (used > 0 && at < chunk.length && this.isIdle && this.socket.writable) {
      used = this.#take(chunk, at)
      at += used
    }
    this.#isReading = false
    this.#flush()
    if (used === 0) this.#leave(chunk.subarray(at))
    else if (at < chunk.length && this.socket.writable) this.#keep(chunk.subarray(at))
  }

  /** Reads on as long as it can, so that a client that leaves is noticed. */
  #keep(chunk: Buffer): void {
    this.#rest.push(chunk)
    this.#held += chunk.length
    if (this.#held > KEPT) this.socket.pause()
  }

  #forget(): void {
    this.#rest = []
    this.#held = 0
  }

  /** @returns how many bytes the request has that begins there; 0 if it is none for this. */
  #take(chunk: Buffer, at: number): number {
    const found = chunk.indexOf(EMPTY_LINE, at)
    const end = found + EMPTY_LINE.length
    if (found < 0 || end - at > WHOLE_HEAD_LIMIT) return 0
    const head = this.#reader.read(chunk.toString('latin1', at, end))
    if (head === undefined || end + head.length > chunk.length) return 0
    const body = head.length === 0 ? undefined : chunk.subarray(end, end + head.length)
    const isFollowed = end + head.length < chunk.length
    const request = new WholeRequest(this.socket, head, body, isFollowed)
    if (head.upgrade !== undefined) return this.#upgrade(request, chunk, end, at)
    const response = new WholeResponse(this, head)
    this.#response = response
    if (this.#owner.take(request, response)) return end + head.length - at
    this.#response = undefined
    return 0
  }

  #flush(): void {
    const text = this.#waiting
    if (text === '') return
    this.#waiting = ''
    if (this.socket.writable) this.socket.write(text, 'latin1')
  }

  #upgrade(request: WholeRequest, chunk: Buffer, end: number, at: number): number {
    const { socket } = this
    this.#flush()
    this.#owner.upgrade(this, request, chunk.subarray(end))
    // whoever it is for has to find out first who calls
    if (isReadBy(socket, this)) socket.pause()
    return chunk.length - at
  }

  /** Lets go of the connection as if nobody had read it. */
  #leave(unused: Buffer): void {
    const { socket } = this
    release(socket)
    socket.pause()
    socket.unshift(unused)
    this.#owner.leave(this)
    socket.resume()
  }
}

function readOn(connection: WholeConnection): void {
  connection.readOn()
}
