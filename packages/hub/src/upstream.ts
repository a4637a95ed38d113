/**
 * What a client may send, whatever carries it: its own subscriptions, updates, questions, answers. Each becomes an
 * update in the hub with the session as its sender; a mistake becomes a `::error` and nothing else happens.
 */
import type { Component, Fault, Message, Meta, Principal } from '@sapwood/core'
import {
  bodyValue,
  CANCEL,
  CONNECT,
  connection,
  DISCONNECT,
  ERROR,
  HELLO,
  isControlPath,
  isDirectPath,
  jsonMessage,
  LONGEST_WAIT,
  message as makeMessage,
  pathFault,
  patternFault,
  RECEIPT,
  REPLY,
  textOf,
} from '@sapwood/core'
import { OPEN } from './asks.ts'
import type { Session } from './session.ts'
import type { SessionHost } from './session-host.ts'

export interface UpstreamHost extends SessionHost {
  readonly askTimeout: number
  /** Gives a session the name that is asked for with these rights, or tells it why not. */
  claim(session: Session, name: string, principal: Principal): void
}

type Handler = (host: UpstreamHost, session: Session, message: Message, sender: Component) => void

const HANDLERS: Readonly<Record<string, Handler>> = {
  [CONNECT]: (host, session, message, sender) =>
    subscriptions(host, session, CONNECT, message, sender),
  [DISCONNECT]: (host, session, message, sender) =>
    subscriptions(host, session, DISCONNECT, message, sender),
  [REPLY]: answer,
  [CANCEL]: (_host, session, message) => session.asks.cancel(message.meta.reply ?? textOf(message)),
  [HELLO]: hello,
}

/**
 * Takes one frame of a client, unless its session has ended: that could not be told, and would never let go of a name.
 * @param principal on whose behalf, where that is not who the client is all the time.
 */
export function receive(
  host: UpstreamHost,
  session: Session,
  path: string,
  message: Message,
  principal: Principal = session.principal,
): void {
  // what came before may have ended it
  if (session.ended) return
  const sender = principal === session.principal ? session : new Acting(session, principal)
  if (isControlPath(path)) {
    const handler = Object.hasOwn(HANDLERS, path) ? HANDLERS[path] : undefined
    if (handler !== undefined) handler(host, session, message, sender)
    else {
      const detail = `a client cannot send ${path.slice(0, 64)}; see the protocol for what it can`
      mistake(host, session, message, { code: 'PATH_CONTROL', detail })
    }
    return
  }
  const fault = pathFault(path, host.settings.path)
  if (fault !== undefined) {
    const detail = `the path "${path.slice(0, 64)}" ${fault}`
    mistake(host, session, message, { code: 'PATH_INVALID', detail })
  } else if (isDirectPath(path)) direct(host, session, path, message, sender)
  else publish(host, session, path, message, sender)
}

/** A WebSocket has said its hello before it gets here; who comes by SSE or long poll says the name like this. */
function hello(host: UpstreamHost, session: Session, message: Message, sender: Component): void {
  if (session.kind === 'ws') {
    const detail = 'this connection has said ::hello; open a new one to start again'
    return mistake(host, session, message, { code: 'HELLO_TWICE', detail })
  }
  const { name } = (bodyValue(message) ?? {}) as { readonly name?: unknown }
  if (typeof name === 'string') host.claim(session, name, sender.principal)
}

function subscriptions(
  host: UpstreamHost,
  session: Session,
  path: string,
  message: Message,
  sender: Component,
): void {
  let patterns: unknown
  try {
    patterns = bodyValue(message)
  } catch {
    patterns = undefined
  }
  const list: unknown[] = Array.isArray(patterns) ? patterns : [patterns]
  for (const pattern of list) {
    const fault =
      typeof pattern === 'string' ? wrong(host, session, path, pattern, sender) : NOT_A_PATTERN
    if (fault !== undefined) {
      const told = typeof pattern === 'string' ? { ...fault, pattern } : fault
      mistake(host, session, message, told)
      continue
    }
    const text = pattern as string
    const { after } = message.meta
    const others = text.includes('->') // `id->pattern`, which only a trusted client gets this far with
    const meta = after === undefined ? undefined : { after }
    const wanted = others ? jsonMessage(text, meta) : connection(session.id, text, after)
    host.update(sender, path, wanted)
  }
}

const NOT_A_PATTERN: Fault = Object.freeze({
  code: 'PATTERN_INVALID',
  detail: 'the message must be a pattern or an array of patterns',
})

function wrong(
  host: UpstreamHost,
  session: Session,
  path: string,
  pattern: string,
  sender: Component,
): Fault | undefined {
  if (pattern.includes('->')) {
    if (sender.principal.trusted) return undefined
    return { code: 'PATTERN_INVALID', detail: 'a client subscribes itself only; leave out the id' }
  }
  const fault = patternFault(pattern, host.settings.path)
  if (fault !== undefined) return { code: 'PATTERN_INVALID', detail: `the pattern ${fault}` }
  const most = host.settings.patterns
  if (path === CONNECT && session.patterns.size >= most && !session.patterns.has(pattern)) {
    const detail = `a client may hold ${most} patterns; raise limits.patterns or use a wildcard`
    return { code: 'LIMIT_PATTERNS', detail }
  }
  return undefined
}

function answer(host: UpstreamHost, session: Session, message: Message): void {
  const { reply, code = 0 } = message.meta
  if (!Number.isInteger(code) || code < 0 || code > 255) {
    mistake(host, session, message, { code: 'CODE_INVALID', detail: 'a code is 0 to 255' })
  } else if (reply === undefined || !session.answer(reply, message)) {
    const detail = 'nothing was asked under this reply, or nobody waits for it any more'
    mistake(host, session, message, { code: 'REPLY_UNKNOWN', detail })
  }
}

function direct(
  host: UpstreamHost,
  session: Session,
  path: string,
  message: Message,
  sender: Component,
): void {
  const { body, type, meta } = message
  const { reply, deadline, ...rest } = meta
  const question = makeMessage(body, type, { ...rest, origin: session.id })
  if (reply === undefined) return host.update(sender, path, question)
  const timeout = Math.min(deadline ?? host.askTimeout, LONGEST_WAIT)
  if (!session.asks.ask(reply, { path, message: question, timeout, sender })) {
    const detail = `${OPEN} questions of this client are unanswered; wait for some`
    mistake(host, session, message, { code: 'LIMIT_QUESTIONS', detail })
  }
}

function publish(
  host: UpstreamHost,
  session: Session,
  path: string,
  message: Message,
  sender: Component,
): void {
  const { id, key, exclude, reply, trace } = message.meta
  const meta: Meta = {
    origin: session.id,
    ...(id !== undefined && { id }),
    ...(key !== undefined && { key }),
    ...(exclude !== undefined && { exclude }),
    ...(trace !== undefined && { trace }),
  }
  const from = reply === undefined ? sender : new Acting(session, sender.principal, reply)
  host.update(from, path, makeMessage(message.body, message.type, meta))
}

/** A session as a sender, and one thing more: its client wants a receipt, or acts with the rights of somebody else. */
class Acting implements Component {
  id: string
  readonly principal: Principal
  readonly #session: Session
  readonly #reply: string | undefined

  constructor(session: Session, principal: Principal, reply?: string) {
    this.id = session.id
    this.principal = principal
    this.#session = session
    this.#reply = reply
  }

  update(sender: Component, path: string, message: Message): void {
    const reply = this.#reply
    if (reply === undefined) this.#session.update(sender, path, message)
    else if (path === RECEIPT) {
      const { body, type } = message
      this.#session.tellMessage(REPLY, makeMessage(body, type, { reply, code: 0 }))
    } else if (path === ERROR) {
      this.#session.tell(ERROR, { ...(bodyValue(message) as object), reply })
    } else this.#session.update(sender, path, message)
  }
}

function mistake(host: UpstreamHost, session: Session, message: Message, fault: Fault): void {
  host.counters.fault(fault.code)
  const { reply } = message.meta
  session.tell(ERROR, reply === undefined ? fault : { ...fault, reply })
}
