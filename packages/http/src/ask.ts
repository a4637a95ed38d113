/**
 * The ask gateway: any HTTP request to `/client/<name>/<noun…>[//<argument>/…]` becomes a question to that client
 * and its answer the response (RP-03 to RP-08).
 * Invariant: every request ends within its wait and time limit, with the code in `X-Event-Return-Code`; a caller
 * that goes away is a question that nobody waits for.
 */
import { Readable } from 'node:stream'
import type { Component, Fault, Message, Principal } from '@sapwood/core'
import { Code, message as makeMessage, NO_ID } from '@sapwood/core'
import type { Ask } from '@sapwood/wire'
import { httpAnswer, parseAsk } from '@sapwood/wire'
import { readBody } from './body.ts'
import type { Call } from './call.ts'
import { forCaller } from './call.ts'
import { fault } from './problem.ts'

/** Takes a call to `/client/<name>/…`. */
export function ask(call: Call): void {
  const { head, context } = call
  const rest = (call.request.url ?? '').slice('/client'.length)
  const asked = parseAsk(rest, { wait: head['sapwood-wait'], timeout: head['sapwood-timeout'] })
  if ('code' in asked) return call.problem(asked)
  call.identify(undefined, (principal) => {
    if (!context.hub.gate.allows(principal, 'ask', asked.path)) {
      const detail = `${principal.id} may not ask ${asked.path}; send a key or let a rule allow it`
      const refused = forCaller(fault('NOT_ALLOWED', detail, 403), principal)
      return call.problem(refused, CODE(Code.refused))
    }
    context.bodies.collect({
      request: call.request,
      response: call.response,
      take: (body) => put(call, principal, asked, body),
      refuse: (problem) => call.problem(problem),
    })
  })
}

function CODE(code: number): readonly string[] {
  return ['X-Event-Return-Code', String(code)]
}

function put(call: Call, principal: Principal, asked: Ask, body: Buffer | undefined): void {
  const { hub } = call.context
  const read: Message | Fault = readBody(body, call.head['content-type'])
  if ('code' in read) return call.problem(read, CODE(Code.threw))
  const message = makeMessage(read.body, read.type, {
    verb: call.method,
    ...(asked.args.length > 0 && { args: asked.args }),
    ...(asked.query !== '' && { query: asked.query }),
  })
  const sender: Component = { id: NO_ID, principal, update: () => undefined }
  const timeout = asked.timeout ?? hub.askTimeout
  const { path, name, wait = hub.all.ask.wait } = asked
  const askNow = (): (() => void) =>
    hub.ask({ path, message, timeout, sender }, (answer) => respond(call, answer))
  // the wait for somebody to come is not time that an answer takes
  let cancel = hub.directory.isAway(name)
    ? hub.directory.whenBack(name, wait, (absent) => {
        if (absent === undefined) cancel = askNow()
        else respond(call, absent)
      })
    : askNow()
  call.response.on('close', () => {
    if (!call.response.writableFinished) cancel()
  })
}

function respond(call: Call, answer: Message): void {
  const { response } = call
  if (response.destroyed || response.headersSent) return
  const { status, headers, body } = httpAnswer(answer)
  const list = Object.entries(headers).flat()
  if (typeof body === 'string' || body instanceof Uint8Array) {
    const length = String(Buffer.byteLength(body))
    response.writeHead(status, [...list, 'Content-Length', length, ...call.cors])
    response.end(body)
    return
  }
  response.writeHead(status, [...list, ...call.cors])
  Readable.from(body)
    .on('error', () => response.destroy())
    .pipe(response)
}
