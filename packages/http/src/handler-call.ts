/**
 * One call of a handler: what it knows of its question, how it is told to stop, and what becomes of its result.
 * Invariant: who takes the reply gets one, whatever the handler does; its throw, rejection or nonsense becomes code
 * 251. A stream that it answers with, and that breaks off or is not read to its end, aborts its signal.
 */
import { finished, Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import type { BodyStream, Message } from '@sapwood/core'
import { message } from '@sapwood/core'
import type { Handler } from '@sapwood/wire'
import { exceptionReply, replyOf } from '@sapwood/wire'
import { sayable } from './sayable.ts'

/** What a handler knows of its question. */
export interface HandlerContext {
  /** Who asks: the id of a principal, the name of a peer. */
  readonly peer: string
  readonly verb: string
  readonly noun: string
  readonly query: string
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

/** Who takes what a handler answers. An object: a closure for each call would cost as much as the call. */
export interface ReplyTaker {
  /** In the turn of the call, or a later one. Where the body is a stream, it is a Readable of bytes. Must not throw. */
  answered(reply: Message): void
}

/** Bytes of a streamed answer that wait here. */
const HELD = 64 * 1024

export class HandlerCall implements HandlerContext {
  readonly peer: string
  readonly verb: string
  readonly noun: string
  readonly query: string
  readonly #traced: boolean
  /** Made for who looks at `signal`: most handlers do not, and it costs more than the rest of a call. */
  #controller: AbortController | undefined
  #stopped = false
  #reason: unknown

  /** @param traced whether the stack of a throw may be shown to the asker. */
  constructor(peer: string, verb: string, noun: string, query: string, traced: boolean) {
    this.peer = peer
    this.verb = verb
    this.noun = noun
    this.query = query
    this.#traced = traced
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#stopped) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  /** Nobody waits any more. */
  stop(reason?: unknown): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#reason = reason
    this.#controller?.abort(reason)
  }

  /** Calls `handler`, whose reply goes to `taker`. */
  run(
    handler: Handler<HandlerContext>,
    input: readonly [type: string, data: unknown],
    args: readonly string[],
    taker: ReplyTaker,
  ): void {
    let reply: Message | PromiseLike<unknown>
    try {
      const result = handler(this, input, ...args)
      reply = isThenable(result) ? result : this.#reply(result)
    } catch (thrown) {
      reply = exceptionReply(sayable(thrown), this.#traced)
    }
    if (!isThenable(reply)) return taker.answered(reply)
    Promise.resolve(reply).then(
      (value) => taker.answered(this.#reply(value)),
      (thrown) => taker.answered(exceptionReply(sayable(thrown), this.#traced)),
    )
  }

  #reply(result: unknown): Message {
    let body: Readable | undefined
    try {
      const stream = streamOf(result)
      if (stream === undefined) return replyOf(result)
      body = readableOf(stream)
      finished(body, (fault) => {
        if (fault) this.stop(fault)
      })
      // all but the data is like in any other answer
      const reply = replyOf(withData(result, NOTHING))
      return message(body, reply.type, reply.meta)
    } catch (thrown) {
      // whoever makes a stream is to hear that nobody reads it
      body?.destroy()
      return exceptionReply(sayable(thrown), this.#traced)
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}

const NOTHING = new Uint8Array(0)

/** The stream that a handler answers with: bytes, or texts that become UTF-8; looked at when they are sent. */
function streamOf(result: unknown): BodyStream | undefined {
  if (typeof result !== 'object' || result === null) return undefined
  if (isStream(result)) return result
  const data = Array.isArray(result) ? result[2] : (result as { data?: unknown }).data
  return isStream(data) ? data : undefined
}

/** The same result with other data in the place of its stream. */
function withData(result: unknown, data: Uint8Array): unknown {
  if (isStream(result)) return data
  return Array.isArray(result) ? [result[0], result[1], data] : { ...(result as object), data }
}

function isStream(data: unknown): data is BodyStream {
  return typeof data === 'object' && data !== null && Symbol.asyncIterator in data
}

/** A Readable of bytes; it fails if what it is made of yields anything but bytes and texts. */
function readableOf(body: BodyStream): Readable {
  if (body instanceof Readable && !body.readableObjectMode) return body
  if (body instanceof ReadableStream) return Readable.fromWeb(body, { highWaterMark: HELD })
  return Readable.from(body, { objectMode: false, highWaterMark: HELD })
}
