/**
 * An answer as the HTTP response of who asked.
 * Invariant: it is written once; one that comes before the request has ended is not lost in a reset.
 */
import { pipeline, Readable } from 'node:stream'
import type { Message } from '@sapwood/core'
import { isStream } from '@sapwood/core'
import { httpAnswer } from '@sapwood/wire'
import type { Call } from './call.ts'
import { LINGER } from './end-socket.ts'
import { breakReason } from './sayable.ts'

/** A stream that a handler answers with failed before its end. */
const BROKEN = 'ANSWER_BROKEN'
/** Characters of a path that the log shows. */
const SHOWN = 256

/** Answers `call` with what was answered to its question. Does nothing if its answer has begun. */
export function respond(call: Call, answer: Message): void {
  const { request, response } = call
  const { status, headers, body } = httpAnswer(answer)
  const isLate = response.destroyed || response.headersSent
  // a head is sent when its response ends, and a stream may have no end
  const isBare = isStream(body) && request.method === 'HEAD'
  // whoever makes a stream is to hear that nobody reads it
  if (answer.body instanceof Readable && (isLate || isBare || body === '')) answer.body.destroy()
  if (isLate) return
  const list = Object.entries(headers).flat()
  if (isBare) {
    response.writeHead(status, [...list, ...call.cors])
    response.end()
    return
  }
  if (isStream(body)) {
    response.writeHead(status, [...list, ...call.cors])
    const stream = body instanceof Readable ? body : Readable.from(body)
    tellBreak(call, stream)
    // whichever of the two breaks off takes the other with it
    pipeline(stream, response, () => undefined)
    return
  }
  // these two have no body, and must not say, or do not know, how long one would be (RFC 9110, section 8.6)
  if (status !== 204 && status !== 304) list.push('Content-Length', String(Buffer.byteLength(body)))
  if (!request.complete) response.shouldKeepAlive = false
  response.writeHead(status, [...list, ...call.cors])
  if (request.complete) response.end(body)
  else endEarly(call, body)
}

/** Says in the log why a stream broke off: its caller sees only that it did. One that its caller leaves does not break off. */
function tellBreak({ context, response, method, path }: Call, stream: Readable): void {
  const broke = (thrown?: unknown): void => {
    // this hears of it before the response is destroyed for it
    if (isOver || stream.readableEnded || response.destroyed) return
    isOver = true
    const { log, counters } = context.hub
    counters.fault(BROKEN)
    const fields = { code: BROKEN, method, path: path.slice(0, SHOWN), reason: breakReason(thrown) }
    log.warn(fields, 'a stream that answers broke off')
  }
  let isOver = false
  stream.on('error', broke)
  stream.on('close', () => broke())
  // one that was over before tells nobody
  if (stream.destroyed) broke(stream.errored ?? undefined)
}

/**
 * Ends an answer whose request has not ended. Closing the connection on what the client still sends would be a reset,
 * which may overtake the answer: so the rest is read and dropped until it ends, the client leaves, or a moment is over.
 */
function endEarly({ request, response, context }: Call, body: string | Uint8Array): void {
  response.write(body)
  response.flushHeaders()
  const end = (): void => {
    stop()
    response.end()
  }
  const stop = context.hub.wheel.after(LINGER, end)
  request.once('end', end)
  request.once('close', end)
  request.resume()
}
