/**
 * Reads an event stream (HTML standard, section 9.2.6): lines ending in CR, LF or CRLF, a byte order mark in front,
 * comments, data over several lines, `retry`, ids without NUL.
 * Invariant: however the stream is cut, the same events come out; an event that its empty line has not closed does
 * not count; no more than the limit is held.
 */
import type { Fault } from '@sapwood/core'

export interface SseEvent {
  /** `message` if the stream names none. */
  readonly name: string
  readonly data: string
  /** The id that stood last in the stream, here or before; empty if there was none. */
  readonly id: string
}

export class SseDecoder {
  /** What the server asked to wait before the next connection, in milliseconds. */
  retry: number | undefined
  readonly #limit: number
  #decoder: TextDecoder | undefined
  /** The line whose end has not come. */
  #line = ''
  #endedInCarriageReturn = false
  #name = ''
  #data: string | undefined
  #id = ''
  #fault: Fault | undefined

  /** @param limit the longest line and the longest data of an event, in characters. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Takes a piece of the stream. A fault is final. */
  push(chunk: Uint8Array): readonly SseEvent[] | Fault {
    const events: SseEvent[] = []
    // the decoder takes a byte order mark away by itself
    this.#decoder ??= new TextDecoder()
    if (this.#fault === undefined) this.#read(this.#decoder.decode(chunk, { stream: true }), events)
    return this.#fault ?? events
  }

  #read(text: string, events: SseEvent[]): void {
    if (text === '') return
    const isRestOfEnd = this.#endedInCarriageReturn && text.startsWith('\n')
    this.#endedInCarriageReturn = text.endsWith('\r')
    const lines = (isRestOfEnd ? text.slice(1) : text).split(/\r\n|\r|\n/)
    lines[0] = this.#line + lines[0]
    this.#line = lines.pop() as string
    for (const line of lines) this.#take(line, events)
    this.#check(this.#line)
  }

  #check(text: string): void {
    if (text.length <= this.#limit) return
    this.#fault ??= {
      code: 'EVENT_TOO_LARGE',
      detail: `an event of the stream has more than ${this.#limit} characters`,
    }
  }

  #take(line: string, events: SseEvent[]): void {
    if (line === '') {
      if (this.#data !== undefined) {
        events.push({ name: this.#name || 'message', data: this.#data, id: this.#id })
      }
      this.#name = ''
      this.#data = undefined
      return
    }
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const space = line.charCodeAt(colon + 1) === 32 ? 1 : 0
    const value = colon < 0 ? '' : line.slice(colon + 1 + space)
    this.#check(line)
    if (field === 'data') {
      this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`
      this.#check(this.#data)
    } else if (field === 'event') this.#name = value
    else if (field === 'id' && !value.includes('\0')) this.#id = value
    else if (field === 'retry' && /^[0-9]+$/.test(value)) this.retry = Number(value)
  }
}
