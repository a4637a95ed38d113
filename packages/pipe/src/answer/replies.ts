/** Answers that are there whole, and what goes on listening when one is given. */
import type { Fault, Message } from '@sapwood/core'
import { Code, isStream, outcome } from '@sapwood/core'
import { responseHead } from '@sapwood/wire'
import type { AnswerExchange, RequestListener } from '../exchange.ts'

const NOTHING = Buffer.alloc(0)

/** Whether its status allows one. */
export function hasBody({ meta: { status } }: Message): boolean {
  return status !== 204 && status !== 205 && status !== 304
}

/** The bytes of a body that is no stream. */
export function bytesOf(reply: Message): Uint8Array {
  const { body } = reply
  if (!hasBody(reply)) return NOTHING
  if (typeof body === 'string') return body === '' ? NOTHING : Buffer.from(body)
  return isStream(body) ? NOTHING : body
}

/** Answers with the head alone, as HEAD is answered. */
export function sendHead(exchange: AnswerExchange, reply: Message): void {
  const length = hasBody(reply) && !isStream(reply.body) ? bytesOf(reply).length : undefined
  exchange.respond(responseHead(reply, length), true)
}

/**
 * Answers with a reply whose body is no stream, of at most some 16 MiB.
 * @param bytes what `bytesOf` gives of it, where that is at hand.
 */
export function sendReply(
  exchange: AnswerExchange,
  reply: Message,
  bytes: Uint8Array = bytesOf(reply),
): void {
  const length = hasBody(reply) ? bytes.length : undefined
  exchange.respond(responseHead(reply, length), bytes.length === 0)
  if (bytes.length > 0) exchange.endWith(bytes)
}

/** Answers with what went wrong, as a problem document. */
export function sendFault(exchange: AnswerExchange, fault: Fault, code: Code = Code.threw): void {
  const { code: problem, detail, status = 400 } = fault
  sendReply(exchange, outcome(code, status, problem, detail))
}

/** Hears the rest of a request that has its answer: what still comes of it is dropped. */
export class Answered implements RequestListener {
  readonly #exchange: AnswerExchange

  constructor(exchange: AnswerExchange) {
    this.#exchange = exchange
  }

  data(part: Uint8Array): void {
    this.#exchange.took(part.length)
  }

  ended(): void {}

  drained(): void {}

  failed(): void {}
}
