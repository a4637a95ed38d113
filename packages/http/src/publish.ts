/**
 * `PUT|POST /update/<path>`: the body is the message, the answer its receipt. This is the route that a busy back
 * end calls ten thousand times a second: one object per request, no closure, no header object.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Component, Fault, Message, Meta, Principal } from '@sapwood/core'
import { ANYONE, bodyValue, flatCopy, NO_ID, NO_META, RECEIPT } from '@sapwood/core'
import { ERROR } from '@sapwood/hub'
import { FRAME_LIMITS, isFault } from '@sapwood/wire'
import type { BodyTaker } from './body.ts'
import { readUpdate, textOf } from './body.ts'
import type { AnyCall } from './call.ts'
import { forCaller } from './call.ts'
import { coalesceWrites } from './coalesce.ts'
import { fault } from './problem.ts'
import type { RequestHead } from './request-head.ts'
import { decodePath } from './target.ts'
import { traceParent } from './trace-parent.ts'
import type { Identifying } from './trust.ts'
import { WholeRequest } from './whole/whole-request.ts'

const PREFIX = '/update/'

/** Takes a call to `/update/<path>`. */
export function publish(call: AnyCall): void {
  if (!call.allows('PUT', 'POST')) return
  const { request, head, context } = call
  if (!(request instanceof WholeRequest)) coalesceWrites(request.socket)
  context.trust.identify(request, head, undefined, new Publication(call))
}

class Publication implements Component, BodyTaker, Identifying {
  id: string = NO_ID
  principal: Principal = ANYONE
  readonly #call: AnyCall

  constructor(call: AnyCall) {
    this.#call = call
  }

  /** For `Bodies`, which collects none that came whole. */
  get request(): IncomingMessage {
    return this.#call.request as IncomingMessage
  }

  get response(): ServerResponse {
    return this.#call.response as ServerResponse
  }

  identified(problem: Fault | undefined, principal: Principal): void {
    this.principal = principal
    const { request, context } = this.#call
    if (problem !== undefined) this.refuse(problem)
    else if (request instanceof WholeRequest) this.take(request.body)
    else context.bodies.collect(this)
  }

  take(body: Buffer | undefined): void {
    const call = this.#call
    const path = decodePath(call.path.slice(PREFIX.length), call.context.hub.settings.path)
    if (typeof path !== 'string') return call.problem(path)
    const meta = metaOf(call.head)
    if (isFault(meta)) return call.problem(meta)
    const message = readUpdate(body, call.head['content-type'], meta)
    if (isFault(message)) return call.problem(message)
    call.context.hub.update(this, path, message)
  }

  refuse(problem: Fault): void {
    this.#call.problem(problem)
  }

  update(_sender: Component, path: string, message: Message): void {
    const call = this.#call
    if (path === RECEIPT) call.json(200, message.body as string)
    else if (path === ERROR) call.problem(forCaller(bodyValue(message) as Fault, this.principal))
  }
}

/** What the headers say about a message: as much as the fields of a frame can, and an empty one says nothing. */
function metaOf(head: RequestHead): Meta | Fault {
  const id = wordOf(head['sapwood-id'])
  const key = wordOf(head['sapwood-key'])
  const origin = wordOf(head['sapwood-origin'])
  const trace = traceParent(head.traceparent)
  if (id === undefined && key === undefined && origin === undefined && trace === undefined) {
    return NO_META
  }
  if (isLong(id)) return tooLong('sapwood-id')
  if (isLong(key)) return tooLong('sapwood-key')
  if (isLong(origin)) return tooLong('sapwood-origin')
  return {
    ...(id !== undefined && { id }),
    ...(key !== undefined && { key }),
    ...(origin !== undefined && { origin }),
    ...(origin !== undefined && head['sapwood-exclude'] === '1' && { exclude: true }),
    ...(trace !== undefined && { trace }),
  }
}

const BEYOND_ASCII = /[^\0-\x7f]/

/** A header comes as a character a byte. They are UTF-8, as shells send it, or else what pages and Node send. */
function wordOf(value: string | undefined): string | undefined {
  if (value === undefined || value === '') return undefined
  // the history keeps it, and need not keep the head that it may be a part of
  if (!BEYOND_ASCII.test(value)) return flatCopy(value)
  return textOf(Buffer.from(value, 'latin1')) ?? value
}

function isLong(word: string | undefined): boolean {
  return word !== undefined && Buffer.byteLength(word) > FRAME_LIMITS.word
}

function tooLong(name: string): Fault {
  return fault('HEADER_INVALID', `${name} has at most ${FRAME_LIMITS.word} bytes`)
}
