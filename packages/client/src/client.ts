/**
 * What users hold: subscriptions, events, publishing, asking and answering, over whatever line carries them.
 * Invariant: after `close` nothing is called any more, and every promise has ended.
 */
/// <reference lib="esnext.disposable" preserve="true" />
import {
  isDirectPath,
  isUnanswered,
  LONGEST_WAIT,
  pathFault,
  reasonOf,
  unanswered,
} from '@sapwood/core'
import { Answers, type Handler } from './answers.ts'
import type { Answer, AskOptions } from './asking.ts'
import type { ClientEvents, ClientState } from './client-events.ts'
import { Events } from './events.ts'
import type { Request } from './exchanges.ts'
import { failure } from './failure.ts'
import { type Frame, frameText, typeOf } from './frame.ts'
import type { AnyPaths, Known, KnownPath, MessageOn } from './paths.ts'
import type { PublishOptions, Receipt } from './publishing.ts'
import type { Session, SessionOwner } from './session.ts'
import { type Callback, type Received, Subscriptions } from './subscriptions.ts'
import type { Closing, TransportName } from './transport.ts'

/** Where something threw that has nobody to be told to. */
const ERROR_HANDLER = 'a handler of error'
const PUBLISH_TIMEOUT = 60_000
const ASK_TIMEOUT = 30_000

/** @typeParam Paths a map of patterns to the type of their messages; everything is unknown without. */
export class Client<Paths = AnyPaths> {
  readonly #id: () => string
  readonly #session: Session
  readonly #events: Events<ClientEvents>
  readonly #subscriptions: Subscriptions
  readonly #answers: Answers
  /** The answers that are still to come. */
  readonly #waiting = new Set<Promise<Frame>>()

  /**
   * @param id makes an id that nobody can guess.
   * @param session makes the session that this client stands on.
   */
  constructor(id: () => string, session: (owner: SessionOwner) => Session) {
    this.#id = id
    this.#events = new Events((thrown, name) => this.#threw(thrown, `a handler of ${name}`))
    this.#subscriptions = new Subscriptions({
      want: (pattern, wanted) => this.#session.want(pattern, wanted),
      onThrow: (thrown, path) => this.#threw(thrown, `a callback of ${path}`),
    })
    this.#answers = new Answers((frame) => this.#session.send(frame))
    this.#session = session({
      update: (frame) => this.#subscriptions.deliver(frame),
      request: (frame) => this.#answers.request(frame),
      cancelled: (reply) => this.#answers.cancel(reply),
      event: (name, event) => this.#events.emit(name, event),
    })
    this.#session.start()
  }

  /** The public id of the session; undefined before the first hello. It changes when the session is lost. */
  get id(): string | undefined {
    return this.#session.id
  }

  get state(): ClientState {
    return this.#session.state
  }

  /** What carries the session, while connected. */
  get transport(): TransportName | undefined {
    return this.#session.transport
  }

  /**
   * Calls `callback` with each message on the paths that `pattern` matches, from now on and across reconnects.
   *
   * @returns its undo. The last undo of a pattern ends its subscription at the hub.
   * @throws SapwoodError `PATTERN_INVALID`. That the hub refuses it is told as an `error` event.
   * @example const off = client.subscribe('orders/*', (order, { path }) => show(path, order))
   */
  subscribe<const Pattern extends string>(
    pattern: Pattern & Known<Paths, Pattern>,
    callback: (message: MessageOn<Paths, Pattern>, update: Received) => void,
  ): () => void {
    this.#mustBeOpen()
    return this.#subscriptions.add(pattern, callback as Callback)
  }

  /**
   * Calls `handler` at each event of that name. Returns its undo.
   * @example client.on('gap', (gap) => reload(gap.patterns))
   */
  on<Name extends keyof ClientEvents>(
    name: Name,
    handler: (event: ClientEvents[Name]) => void,
  ): () => void {
    return this.#events.on(name, handler)
  }

  /**
   * Answers what this client is asked (RP-10, RP-13, RP-14).
   *
   * @param key verb and noun, such as `GET time/utc`.
   * @param handler gets `(context, [type, data], ...args)`. It returns a value, `[type, code, data]` or
   *   `{ status, type, data }`, or a promise of one.
   * @returns its undo.
   * @example client.answer('GET time', () => Date.now()) // curl http://127.0.0.1:8787/client/<id>/time
   */
  answer(key: string, handler: Handler): () => void {
    this.#mustBeOpen()
    return this.#answers.add(key, handler)
  }

  /**
   * Publishes. It is sent again after a reconnect, under the same id, so that it is published once.
   *
   * @throws (as a rejection) SapwoodError `PATH_INVALID`, `NOT_ALLOWED` and others of the hub's, `QUEUE_FULL`,
   *   `RECEIPT_TIMEOUT`, `CLIENT_CLOSED`; TypeError for what JSON cannot say.
   * @example const { matched } = await client.publish('chat/1', { text: 'hi' })
   */
  async publish<const Path extends string>(
    path: Path & KnownPath<Paths, Path>,
    message: MessageOn<Paths, Path>,
    options: PublishOptions = {},
  ): Promise<Receipt> {
    const { id = this.#id(), timeout = PUBLISH_TIMEOUT, signal, ...fields } = options
    const frame = { path, message, id, ...fields }
    const answer = await this.#request('publish', frame, timeout, signal)
    if (answer.code) throw unanswered(answer)
    return answer.message as Receipt
  }

  /**
   * Asks the client of that name, or one of them, or the one of that id.
   *
   * @param path `@name/noun`.
   * @throws (as a rejection) SapwoodError when there is no answer: `CLIENT_ABSENT`, `ANSWER_TIMEOUT`,
   *   `CONNECTION_LOST`, `NOT_ALLOWED`, `QUEUE_FULL`, `CLIENT_CLOSED`.
   * @example const { message } = await client.ask('@fileserver/cat', { args: ['a', 'b'], timeout: 5000 })
   */
  async ask(path: string, options: AskOptions = {}): Promise<Answer> {
    const { verb = 'GET', timeout = ASK_TIMEOUT, signal, message = '', ...fields } = options
    const deadline = Math.min(timeout, LONGEST_WAIT)
    const frame = { path, message, verb, deadline, ...fields }
    const answer = await this.#request('ask', frame, deadline, signal)
    const { code = 0, status } = answer
    if (isUnanswered(code)) throw unanswered(answer)
    return { code, type: typeOf(answer), message: answer.message, status }
  }

  /** Ends the session at the hub; what waits for an answer is rejected with `CLIENT_CLOSED`. */
  close(): Promise<void> {
    return this.#session.close()
  }

  /** Resolves when the client is over, by `close` or because the hub does not want it back. */
  get closed(): Promise<Closing> {
    return this.#session.closed
  }

  /** Waits for the answers that are still to come, then closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#waiting)
    await this.close()
  }

  #request(
    kind: Request['kind'],
    frame: Frame,
    timeout: number,
    signal: AbortSignal | undefined,
  ): Promise<Frame> {
    this.#mustBeOpen()
    const { path } = frame
    const isFit = isDirectPath(path) === (kind === 'ask')
    const fault = isFit ? pathFault(path) : 'must be @name/noun for a question, and only there'
    if (fault !== undefined) throw failure('PATH_INVALID', `"${path}" ${fault}`)
    const answer = this.#session
      .request({ kind, frame: frameText(frame), timeout }, signal)
      .finally(() => this.#waiting.delete(answer))
    this.#waiting.add(answer)
    return answer
  }

  #mustBeOpen(): void {
    if (this.state === 'closed') throw failure('CLIENT_CLOSED', 'the client was closed', 503)
  }

  #threw(cause: unknown, where: string): void {
    const detail = `${where} threw: ${reasonOf(cause)}`
    // nobody would ever know; and what the handler of errors throws is no news for it
    if (where === ERROR_HANDLER || !this.#events.heard('error')) console.error(cause)
    else this.#events.emit('error', { code: 'CALLBACK_THREW', detail, cause })
  }
}
