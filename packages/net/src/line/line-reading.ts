/**
 * A datagram of lines that is being read, with the rights that its `::key` gave and what may be answered to it.
 * Invariant: no more bytes are answered than the datagram has.
 */
import { Buffer } from 'node:buffer'
import type { Component, Fault, Message, Principal } from '@sapwood/core'
import { bodyValue, NO_ID } from '@sapwood/core'
import type { FramingFault } from '@sapwood/wire'
import { InputBuffer, lineForm } from '@sapwood/wire'
import type { Connection } from '../connection.ts'
import { LineFormFramer } from './line-form-framer.ts'
import { ERROR, HELLO, told } from './line-words.ts'

export class LineReading {
  readonly #connection: Connection
  readonly #input = new InputBuffer(Buffer.allocUnsafeSlow)
  readonly #framer: LineFormFramer
  #principal: Principal
  #sender: Component | undefined
  /** Bytes that may still be answered. */
  #allowance: number

  /**
   * @param length bytes of a line.
   * @param principal who sent it, as far as its address says.
   */
  constructor(connection: Connection, datagram: Uint8Array, length: number, principal: Principal) {
    this.#connection = connection
    this.#input.push(datagram)
    this.#framer = new LineFormFramer(length)
    this.#principal = principal
    this.#allowance = datagram.length
  }

  /** With whose rights the next line is taken. */
  get principal(): Principal {
    return this.#principal
  }

  set principal(principal: Principal) {
    this.#principal = principal
    this.#sender = undefined
  }

  /** The next line; undefined behind the last. */
  next(): string | FramingFault | undefined {
    return this.#framer.finish(this.#input)
  }

  /** Leaves the other lines out. */
  skip(): void {
    this.#input.skip(this.#input.length)
  }

  /** Who publishes what is in it, without a session. */
  get sender(): Component {
    this.#sender ??= new Sender(this, this.#principal)
    return this.#sender
  }

  /** Says what is wrong, or at least its code, if there is room. */
  tell(fault: Fault): void {
    this.#answer(lineForm.encode(told(ERROR, fault)), Buffer.from(`${ERROR}; ${fault.code}`))
  }

  /** Asks for a proof of the address: as a line, if there is room. */
  challenge(cookie: string): void {
    const line = `${HELLO}; ${cookie}`
    this.#answer(Buffer.from(`${line}\n`), Buffer.from(line), Buffer.from(cookie))
  }

  /** Sends the first of `forms` that is no longer than may be answered. */
  #answer(...forms: readonly Uint8Array[]): void {
    const fitting = forms.find(({ length }) => length <= this.#allowance)
    if (fitting === undefined) return
    this.#allowance -= fitting.length
    this.#connection.send(fitting)
  }
}

class Sender implements Component {
  id: string = NO_ID
  readonly principal: Principal
  readonly #reading: LineReading

  constructor(reading: LineReading, principal: Principal) {
    this.#reading = reading
    this.principal = principal
  }

  update(_sender: Component, path: string, message: Message): void {
    if (path === ERROR) this.#reading.tell(bodyValue(message) as Fault)
  }
}
