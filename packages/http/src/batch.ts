/**
 * `POST /update`: many updates in one request. A JSON array is checked whole, then applied in order; NDJSON is
 * applied line by line as it arrives (DB-15). Receipts come back in the same order and form.
 */
import type { Component, Message, Principal } from '@sapwood/core'
import { bodyValue, NO_ID, RECEIPT } from '@sapwood/core'
import { ERROR } from '@sapwood/hub'
import { isFault, mediaType, readFrames } from '@sapwood/wire'
import { textOf } from './body.ts'
import type { AnyCall, Call } from './call.ts'
import { collectBody, forCaller } from './call.ts'
import { itemMessage } from './item.ts'
import { publishAllLines } from './lines.ts'
import { fault } from './problem.ts'
import { refusal } from './refusal.ts'
import { publishLines } from './streamed-lines.ts'
import { WholeRequest } from './whole/whole-request.ts'

/** Takes a call to `/update`. */
export function publishBatch(call: AnyCall): void {
  if (!call.allows('POST', 'PUT')) return
  call.identify(undefined, (principal) => {
    const { request } = call
    const isLines = mediaType(call.head['content-type']) === 'application/x-ndjson'
    if (request instanceof WholeRequest) {
      if (isLines) publishAllLines(call, principal, request.body)
      else takeArray(call, principal, request.body)
    } else if (isLines) publishLines(call as Call, principal)
    else collectBody(call as Call, (body) => takeArray(call, principal, body))
  })
}

function takeArray(call: AnyCall, principal: Principal, body: Buffer | undefined): void {
  const text = textOf(body)
  if (text === undefined) return call.problem(fault('BODY_INVALID', 'the body is not valid UTF-8'))
  const frames = readFrames(text)
  if (isFault(frames)) return call.problem({ ...frames, code: 'BODY_INVALID', status: 400 })
  const { hub } = call.context
  const single = !text.trimStart().startsWith('[')
  for (const [index, frame] of frames.entries()) {
    const wrong = refusal(hub, principal, frame)
    if (wrong !== undefined) {
      const detail = single ? wrong.detail : `item ${index}: ${wrong.detail}`
      return call.problem(forCaller({ ...wrong, detail }, principal))
    }
  }
  const receipts: string[] = []
  let open = frames.length
  const done = (index: number, receipt: string): void => {
    receipts[index] = receipt
    if (--open === 0) call.json(200, single ? (receipts[0] as string) : `[${receipts.join(',')}]`)
  }
  if (open === 0) return call.json(200, '[]')
  for (const [index, frame] of frames.entries()) {
    const sender = new Sender(principal, (receipt) => done(index, receipt))
    hub.update(sender, frame.path, itemMessage(frame))
  }
}

/** Sends one update of a batch and hands on its receipt, or the document that stands for it. */
class Sender implements Component {
  id: string = NO_ID
  readonly principal: Principal
  readonly #done: (receipt: string) => void

  constructor(principal: Principal, done: (receipt: string) => void) {
    this.principal = principal
    this.#done = done
  }

  update(_sender: Component, path: string, message: Message): void {
    if (path === RECEIPT) this.#done(message.body as string)
    else if (path === ERROR) this.#done(JSON.stringify(bodyValue(message)))
  }
}
