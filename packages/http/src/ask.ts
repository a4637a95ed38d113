/**
 * The ask gateway: any HTTP request to `/client/<name>/<noun…>[//<argument>/…]` becomes a question to that client
 * and its answer the response (RP-03 to RP-08).
 * Invariant: every request ends within its wait and time limit, with the code in `X-Event-Return-Code`; a caller
 * that goes away is a question that nobody waits for.
 */
import type { Component, Fault, Message, Principal, Question } from '@sapwood/core'
import { Code, message as makeMessage, NO_ID, nounOf, outcome } from '@sapwood/core'
import type { Ask } from '@sapwood/wire'
import { isFault } from '@sapwood/wire'
import { askedBy, isAsked } from './asked.ts'
import { readBody } from './body.ts'
import type { AnyCall, Call, HttpContext } from './call.ts'
import { collectBody } from './call.ts'
import { askRefusal, handedTo, handOn } from './peers.ts'
import { respond } from './respond.ts'
import { codeHeader } from './return-code.ts'
import { LOST } from './unanswered.ts'
import { Upload } from './upload.ts'
import type { WholeRequest } from './whole/whole-request.ts'

/** Takes a call to `/client/<name>/…`. */
export function ask(call: Call): void {
  const { context, request, head } = call
  const read = askedBy(request.url ?? '', head)
  if (isFault(read)) return call.problem(read)
  const { asked, gateway } = handedTo(context, read, call.method)
  call.identify(undefined, (principal) => {
    const refused = askRefusal(context, principal, asked)
    if (refused !== undefined) return call.problem(refused)
    if (gateway !== undefined) return handOn(call, gateway, asked)
    if (context.hub.directory.takesStream(asked.name, call.method, asked.path)) {
      return new Upload(call).ask((body) => questionOf(call, principal, asked, body))
    }
    collectBody(call, (body) => put(call, principal, asked, body))
  })
}

/** The same for a request that came whole. @returns false if it is for no peer. */
export function askWhole(call: AnyCall<WholeRequest>): boolean {
  const { context, request, head } = call
  const { peers } = context.options
  // of several at once the server asks all before the first is answered
  if (peers === undefined || request.isFollowed) return false
  const asked = askedBy(request.url ?? '', head)
  if (isFault(asked) || !peers.has(asked.name)) return false
  call.identify(undefined, (principal) => {
    const refused = askRefusal(context, principal, asked)
    if (refused === undefined) handOn(call, peers, asked)
    else call.problem(refused)
  })
  return true
}

function put(call: Call, principal: Principal, asked: Ask, body: Buffer | undefined): void {
  const { hub } = call.context
  // an empty body is no message, whatever its type (RP-13)
  const read: Message | Fault = readBody(body, body && call.head['content-type'])
  if (isFault(read)) return call.problem(read, codeHeader(Code.threw))
  const question = questionOf(call, principal, asked, read)
  const { name, wait = hub.all.ask.wait } = asked
  let isPut = !hub.directory.isAway(name)
  const askNow = (): (() => void) => {
    isPut = true
    return hub.ask(question, (answer) => respond(call, answer))
  }
  // the wait for somebody to come is not time that an answer takes
  let cancel = isPut
    ? askNow()
    : hub.directory.whenBack(name, wait, (absent) => {
        if (absent === undefined) cancel = askNow()
        else respond(call, absent)
      })
  const unanswered = {
    stopped(): void {
      cancel()
      respond(call, isPut ? outcome(Code.lost, 502, LOST.code, LOST.detail) : neverAsked(name))
    },
  }
  call.context.unanswered.add(unanswered)
  call.response.on('close', () => {
    call.context.unanswered.delete(unanswered)
    if (!call.response.writableFinished) cancel()
  })
}

/** The server ended before somebody came. */
function neverAsked(name: string): Message {
  const detail = `the hub stopped before "${name}" came, and asked nobody; ask again in a moment`
  return outcome(Code.absent, 503, 'DRAINING', detail)
}

function questionOf(
  call: Call,
  principal: Principal,
  { path, noun, args, query, timeout }: Ask,
  { body, type }: Pick<Message, 'body' | 'type'>,
): Question {
  const message = makeMessage(body, type, {
    verb: call.method,
    ...(args.length > 0 && { args }),
    ...(query !== '' && { query }),
    ...(nounOf(path) !== noun && { noun }),
  })
  const sender: Component = { id: NO_ID, principal, update: () => undefined }
  return { path, message, timeout: timeout ?? call.context.hub.askTimeout, sender }
}

/** Who gets the body of a request to `url` while it comes, whatever its length: a handler, a peer, or nobody. */
export function streamsTo(
  context: HttpContext,
  url: string,
  method = 'GET',
): 'handler' | 'peer' | undefined {
  const asked = isAsked(url) ? askedBy(url) : undefined
  if (asked === undefined || isFault(asked)) return undefined
  if (handedTo(context, asked, method).gateway !== undefined) return 'peer'
  return context.hub.directory.takesStream(asked.name, method, asked.path) ? 'handler' : undefined
}
