/**
 * A question of a program, without HTTP: a value goes out, the answer comes back as a value. The same words and results as
 * in `@sapwood/client`.
 * Invariant: every call ends, in an answer or in an error, within its wait and its time limit.
 */
import type { Fault } from '@sapwood/core'
import {
  isDirectPath,
  isUnanswered,
  JSON_TYPE,
  jsonMessage,
  LONGEST_WAIT,
  nameOf,
  nounOf,
  SapwoodError,
  unanswered,
} from '@sapwood/core'
import type { FieldList, RequestHead, ResponseHead } from '@sapwood/wire'
import { isInterim, mediaType, NO_FIELDS, utf8 } from '@sapwood/wire'
import type { AnswerListener, Asker, Exchange } from '../exchange.ts'
import { checkMethod, targetOf } from '../request-line.ts'
import { ANSWER_CANCELLED } from './peer-faults.ts'

export interface CallOptions {
  /** `GET` where it is not said. */
  readonly verb?: string
  readonly args?: readonly string[]
  /** A query string without its `?`. */
  readonly query?: string
  /** A value for JSON, a `Uint8Array`, or with `type` a text. */
  readonly message?: unknown
  /** Media type of a text message, or of bytes. */
  readonly type?: string
  /** Milliseconds to wait for the answer. 30 s. */
  readonly timeout?: number
  /** Milliseconds to wait for somebody of that name to come. 20 s. */
  readonly wait?: number
  readonly signal?: AbortSignal
}

export interface CallAnswer {
  /** 0, the handler's own 1 to 248, 251 if it threw, 255 if there is none for that verb and noun. */
  readonly code: number
  /** Media type of the message. */
  readonly type: string
  /** JSON decoded, text as a string, bytes as they are. */
  readonly message: unknown
  readonly status: number
}

const TIMEOUT = 30_000
const WAIT = 20_000
/** Bytes of an answer: 16 MiB. */
const MOST_BYTES = 16_777_216

const NOTHING = new Uint8Array(0)

/**
 * Asks a peer by its path.
 * @param path `@name/noun`.
 * @throws SapwoodError NAME_INVALID, TARGET_INVALID, HEAD_INVALID; CLIENT_UNKNOWN, CLIENT_ABSENT, STREAMS_FULL, ANSWER_TIMEOUT,
 * CONNECTION_LOST, ANSWER_TOO_LONG, BODY_INVALID, and what the peer refuses with.
 * @example const { message } = await call(asker, '@alpha/cat', { args: ['a', 'b'] })
 */
export function call(asker: Asker, path: string, options: CallOptions = {}): Promise<CallAnswer> {
  return new Promise((resolve, reject) => {
    const name = nameOf(path)
    if (!isDirectPath(path) || name === '') {
      const detail = `"${path}" is no path of a peer; write @name/noun`
      throw new SapwoodError('NAME_INVALID', detail)
    }
    const { signal } = options
    if (signal?.aborted) throw signal.reason
    const one = new Call(asker, name, nounOf(path), options, resolve, reject)
    // first: it may be over when `begin` returns
    if (signal !== undefined) one.until(signal)
    one.begin(options.wait ?? WAIT)
  })
}

class Call implements AnswerListener {
  readonly isWhole = true
  readonly #asker: Asker
  readonly #name: string
  readonly #head: RequestHead
  readonly #body: Uint8Array
  readonly #resolve: (answer: CallAnswer) => void
  readonly #reject: (reason: unknown) => void
  #exchange: Exchange | undefined = undefined
  #stopWaiting: (() => void) | undefined = undefined
  #release: (() => void) | undefined = undefined
  #response: ResponseHead | undefined = undefined
  #first: Uint8Array | undefined = undefined
  #more: Uint8Array[] | undefined = undefined
  #bytes = 0

  constructor(
    asker: Asker,
    name: string,
    noun: string,
    options: CallOptions,
    resolve: (answer: CallAnswer) => void,
    reject: (reason: unknown) => void,
  ) {
    const { verb = 'GET', args, query, timeout: asked = TIMEOUT } = options
    // whole milliseconds travel, and 0 would be no limit: time that has run out, or is no number, is none to wait
    const timeout = asked > 0 ? Math.min(LONGEST_WAIT, Math.ceil(asked)) : 1
    const [type, body] = contentOf(options)
    const headers = type === '' ? NO_FIELDS : ['content-type', type]
    const target = targetOf(noun, args, query)
    this.#asker = asker
    this.#name = name
    this.#head = { method: checkMethod(verb), target, headers, timeout, trace: '', hops: 0 }
    this.#body = body
    this.#resolve = resolve
    this.#reject = reject
  }

  begin(wait: number): void {
    // who is there is asked at once, without a closure
    if (this.#asker.absence(this.#name) !== 'away') return this.#ask()
    this.#stopWaiting = this.#asker.whenBack(this.#name, wait, () => {
      this.#stopWaiting = undefined
      this.#ask()
    })
  }

  until(signal: AbortSignal): void {
    const abort = (): void => {
      this.#stopWaiting?.()
      this.#exchange?.cancel(ANSWER_CANCELLED)
      this.#fail(signal.reason)
    }
    signal.addEventListener('abort', abort)
    this.#release = () => signal.removeEventListener('abort', abort)
  }

  response(head: ResponseHead): void {
    if (!isInterim(head.status)) this.#response = head
  }

  data(part: Uint8Array): void {
    this.#exchange?.took(part.length)
    this.#bytes += part.length
    if (this.#bytes > MOST_BYTES) return this.#tooLong()
    if (this.#first === undefined) this.#first = part
    else {
      this.#more ??= [this.#first]
      this.#more.push(part)
    }
  }

  ended(): void {
    const response = this.#response as ResponseHead
    const type = mediaType(fieldOf(response.headers, 'content-type'))
    const body = this.#more === undefined ? (this.#first ?? NOTHING) : Buffer.concat(this.#more)
    try {
      const { code, status } = response
      const message = decoded(type, body)
      if (isUnanswered(code)) return this.#fail(unanswered({ code, status, message }))
      this.#release?.()
      this.#resolve({ code, type, message, status })
    } catch (thrown) {
      this.#fail(thrown)
    }
  }

  drained(): void {}

  failed({ code, detail, status = 502 }: Fault): void {
    this.#fail(new SapwoodError(code, detail, { status }))
  }

  #ask(): void {
    const ends = this.#body.length === 0
    try {
      const exchange = this.#asker.ask(this.#name, this.#head, ends, this)
      this.#exchange = exchange
      if (!ends) exchange.endWith(this.#body)
    } catch (thrown) {
      this.#fail(thrown)
    }
  }

  #tooLong(): void {
    const fault = {
      code: 'ANSWER_TOO_LONG',
      detail: `the answer has more than ${MOST_BYTES} bytes; ask for it over HTTP, as a stream`,
      status: 502,
    }
    this.#exchange?.cancel(fault)
    this.failed(fault)
  }

  #fail(reason: unknown): void {
    this.#release?.()
    this.#reject(reason)
  }
}

/** @throws TypeError for what JSON cannot say. */
function contentOf({ message, type }: CallOptions): readonly [type: string, body: Uint8Array] {
  if (message === undefined) return ['', NOTHING]
  if (type !== undefined && typeof message === 'string') return [type, utf8(message)]
  const { body, type: own } = jsonMessage(message)
  return [type ?? own, typeof body === 'string' ? utf8(body) : (body as Uint8Array)]
}

function fieldOf(fields: FieldList, name: string): string {
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1] as string
  return ''
}

/** @throws SapwoodError BODY_INVALID */
function decoded(type: string, body: Uint8Array): unknown {
  const isJson = type === JSON_TYPE || type.endsWith('+json')
  if (!isJson && type !== '' && !type.startsWith('text/')) return body
  const bytes =
    body instanceof Buffer ? body : Buffer.from(body.buffer, body.byteOffset, body.length)
  const text = bytes.toString()
  if (!isJson || text === '') return text
  try {
    return JSON.parse(text)
  } catch (cause) {
    const detail = 'the answer is typed JSON and does not parse; mend the handler'
    throw new SapwoodError('BODY_INVALID', detail, { status: 502, cause })
  }
}
