/**
 * Handlers, the pure part: which function answers a question (RP-10), what it is called with (RP-13), and how its
 * result (RP-14), or what it threw (RP-16), becomes a reply.
 * Invariant: only own properties of a table are handlers, so no question reaches `constructor` or `toString`.
 */
import type { Message, Meta } from '@sapwood/core'
import {
  BYTES_TYPE,
  bodyValue,
  Code,
  JSON_TYPE,
  jsonMessage,
  message,
  reasonOf,
  TEXT_TYPE,
} from '@sapwood/core'
import type { AnswerHead } from './answer.ts'
import { singleLine } from './json-member.ts'
import { mediaType } from './media-type.ts'

/** Answers one kind of question. `data` is the body: a value for JSON, else text or bytes. */
export type Handler<Context> = (
  context: Context,
  typeAndData: readonly [type: string, data: unknown],
  ...args: string[]
) => unknown

/** Handlers by `GET time/utc` or by a name such as `get_time_utc`; what is no function is none. */
export type Handlers<Context> = Readonly<Record<string, Handler<Context>>>

/** @example handlerName('GET', 'time/utc') // 'get_time_utc' */
export function handlerName(verb: string, noun: string): string {
  return `${verb.toLowerCase()}_${noun.replaceAll('/', '_')}`
}

/** The handler for a verb and a noun, or undefined. Who answers GET answers HEAD as well (RP-04). */
export function findHandler<Context>(
  handlers: Handlers<Context>,
  verb: string,
  noun: string,
): Handler<Context> | undefined {
  for (const key of [`${verb.toUpperCase()} ${noun}`, handlerName(verb, noun)]) {
    const found = Object.hasOwn(handlers, key) ? handlers[key] : undefined
    if (typeof found === 'function') return found
  }
  return verb.toUpperCase() === 'HEAD' ? findHandler(handlers, 'GET', noun) : undefined
}

/** What a handler gets as its second argument: an empty body is the empty string, whatever its type. */
export function handlerInput(request: Message): readonly [type: string, data: unknown] {
  return [request.type, request.body === '' ? '' : bodyValue(request)]
}

/**
 * The reply for what a handler returned:
 * - `[type, code, data]` if the first is a media type or null and the second an integer,
 * - `{ status, type, data, headers }` if it has no other members and a status, a media type, or headers beside data,
 * - anything else is the data, as JSON; bytes are bytes, nothing at all is an empty text.
 *
 * Data with a type of its own is a string or bytes; under an explicit JSON type a string is JSON text.
 * @throws TypeError for what cannot be sent so; it counts as thrown by the handler.
 */
export function replyOf(result: unknown): Message {
  if (isTriple(result)) {
    const [type, code, data] = result
    if (code < 0 || code >= Code.refused) {
      throw new TypeError(`a code is 0 to ${Code.refused - 1}, not ${code}`)
    }
    return bodyOf(type, data, { code })
  }
  // of bytes each one would be a member
  if (result instanceof Uint8Array || !isAnswer(result)) {
    return bodyOf(undefined, result, { code: Code.ok })
  }
  const { status, type, data, headers } = result
  const head: AnswerHead | undefined = headers && { headers }
  return bodyOf(type, data, {
    code: Code.ok,
    ...(status !== undefined && { status }),
    ...(head && { head }),
  })
}

/**
 * The reply for what a handler threw.
 * @param traced whether the stack may be shown to the asker.
 */
export function exceptionReply(thrown: unknown, traced = false): Message {
  const isError = thrown instanceof Error
  const exception = {
    message: reasonOf(thrown),
    class: isError ? thrown.constructor.name || thrown.name : typeof thrown,
    ...(traced && isError && thrown.stack !== undefined && { traceback: thrown.stack }),
  }
  return jsonMessage({ exception }, { code: Code.threw })
}

/** The reply where no handler is. */
export function unhandledReply(): Message {
  return message('', TEXT_TYPE, { code: Code.unhandled })
}

function bodyOf(said: string | null | undefined, data: unknown, meta: Meta): Message {
  const type = said && mediaType(said) === JSON_TYPE ? JSON_TYPE : said
  if (data === undefined || data === null) {
    return message('', type && type !== JSON_TYPE ? type : TEXT_TYPE, meta)
  }
  if (data instanceof Uint8Array) return message(data, type || BYTES_TYPE, meta)
  if (!type) return jsonMessage(data, meta)
  if (type !== JSON_TYPE) {
    if (typeof data === 'string') return message(data, type, meta)
    throw new TypeError(`data of type ${type} is a string or bytes, not ${typeof data}`)
  }
  if (typeof data !== 'string') return jsonMessage(data, meta)
  JSON.parse(data)
  return message(singleLine(data), JSON_TYPE, meta)
}

const MEDIA_TYPE = /^[\w.+-]+\/[\w.+-]+ *(?:;[\x20-\x7e]*)?$/

function isMediaType(value: unknown): value is string {
  return typeof value === 'string' && MEDIA_TYPE.test(value)
}

function isTriple(result: unknown): result is [string | null, number, unknown] {
  if (!Array.isArray(result) || result.length !== 3) return false
  return (result[0] === null || isMediaType(result[0])) && Number.isInteger(result[1])
}

interface AnswerObject extends AnswerHead {
  readonly status?: number
  readonly type?: string
  readonly data?: unknown
}

function isAnswer(result: unknown): result is AnswerObject {
  const answer: AnswerObject = Object(result)
  // most results are data: what else is in them need not be known
  if ((answer.status ?? answer.type ?? answer.headers) === undefined) return false
  const { status = 200, type = JSON_TYPE, headers = {}, data, ...others } = answer
  return (
    Object.keys(others).length === 0 &&
    Object(headers) === headers &&
    isMediaType(type) &&
    Number.isInteger(status) &&
    status >= 200 &&
    status <= 599 &&
    (answer.status ?? answer.type ?? data) !== undefined
  )
}
