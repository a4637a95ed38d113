/**
 * The body of an answer that goes out as a stream brings it, as fast as the peer takes it.
 * Invariant: its owner hears once that it is over, whole or broken; nothing is sent after that, or after `stop`.
 */
import { Readable } from 'node:stream'
import type { AnswerExchange } from '../exchange.ts'

/** Who answers with it. */
export interface AnswerSource {
  /** All of it is sent. */
  sent(): void
  /** The stream failed or stopped before its end: the peer has to be told. @param reason undefined if it was closed. */
  broken(reason?: unknown): void
}

/** Up to so many bytes are sent in one piece. */
export const PART: number = 256 * 1024

/** @example answer = new StreamedAnswer(exchange, readable, owner); exchange.respond(head, false); answer.begin() */
export class StreamedAnswer {
  readonly #exchange: AnswerExchange
  readonly #stream: Readable
  readonly #owner: AnswerSource
  #isOver = false

  constructor(exchange: AnswerExchange, stream: Readable, owner: AnswerSource) {
    this.#exchange = exchange
    this.#stream = stream
    this.#owner = owner
  }

  /** Sends, behind the head. */
  begin(): void {
    const stream = this.#stream
    stream.on('data', (chunk: Uint8Array | string) => {
      if (!this.#write(chunk)) stream.pause()
    })
    stream.on('end', () => this.#end())
    stream.on('error', (thrown) => this.#break(thrown))
    stream.on('close', () => this.#break())
    // one that was over before tells nobody
    if (stream.destroyed) this.#break(stream.errored ?? undefined)
  }

  /** The peer takes more. */
  resume(): void {
    this.#stream.resume()
  }

  /** Nobody wants the rest. */
  stop(): void {
    this.#isOver = true
    this.#stream.destroy()
  }

  #write(chunk: Uint8Array | string): boolean {
    if (this.#isOver) return true
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    try {
      return this.#exchange.write(bytes)
    } catch (thrown) {
      // one piece that is larger than all that may wait
      this.#break(thrown)
      return true
    }
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#exchange.end()
    this.#owner.sent()
  }

  #break(reason?: unknown): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#owner.broken(reason)
  }
}

/** A long answer that is there whole, in parts. */
export function inParts(bytes: Uint8Array): Readable {
  return Readable.from(partsOf(bytes), { objectMode: false })
}

function* partsOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PART) yield bytes.subarray(at, at + PART)
}
