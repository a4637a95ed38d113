/**
 * The connection to a target that has agreed to another protocol (101): all bytes pass, both ways, each way until its end and
 * as fast as its reader takes it.
 * Invariant: an end without a word, on either side, is none to the other that could be taken for a good one.
 */
import type { Duplex } from 'node:stream'
import { countChunk } from '@sapwood/net'
import type { AnswerExchange } from '../exchange.ts'
import { gatherWrites } from '../gather-writes.ts'
import { TARGET_LOST } from './answer-faults.ts'

export class TargetSwitch {
  readonly #socket: Duplex
  readonly #exchange: AnswerExchange
  #isOver = false
  /** Bytes that the target has not taken, and the peer was not told of. */
  #owed = 0

  constructor(socket: Duplex, exchange: AnswerExchange) {
    this.#socket = socket
    this.#exchange = exchange
  }

  /** The peer has the 101. @param head what came behind it. */
  begin(head: Buffer): void {
    const socket = this.#socket
    if (head.length > 0) this.#exchange.write(head)
    socket.on('data', (part: Buffer) => {
      countChunk(part.length)
      if (!this.#isOver && !this.#exchange.write(part)) socket.pause()
    })
    socket.on('drain', () => this.#taken())
    socket.on('end', () => this.#targetEnded())
    socket.on('error', () => this.#lost())
    socket.on('close', () => this.#lost())
  }

  /** Bytes of the peer. */
  data(part: Uint8Array): void {
    const { length } = part
    if (this.#isOver) return this.#exchange.took(length)
    gatherWrites(this.#socket)
    if (this.#socket.write(part)) this.#exchange.took(length)
    else this.#owed += length
  }

  /** The peer has said all. */
  ended(): void {
    if (!this.#isOver) this.#socket.end()
  }

  /** The peer takes more. */
  drained(): void {
    this.#socket.resume()
  }

  /** The peer is gone. */
  failed(): void {
    this.#settle()
    this.#socket.destroy()
  }

  #targetEnded(): void {
    if (this.#isOver) return
    this.#exchange.end()
    this.#socket.end()
    this.#settle()
  }

  #lost(): void {
    if (this.#isOver) return
    this.#exchange.cancel(TARGET_LOST)
    this.failed()
  }

  #taken(): void {
    const owed = this.#owed
    this.#owed = 0
    if (owed > 0) this.#exchange.took(owed)
  }

  #settle(): void {
    this.#isOver = true
    this.#taken()
  }
}
