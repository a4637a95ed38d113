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

/** Answers `call` with what was answered to its question. Does nothing if its answer has begun. */
export function respond(call: Call, answer: Message): void {
  const { request, response } = call
  const { status, headers, body } = httpAnswer(answer)
  const isLate = response.destroyed || response.headersSent
  // whoever makes a stream is to hear that nobody reads it
  if (answer.body instanceof Readable && (isLate || body === '')) answer.body.destroy()
  if (isLate) return
  const list = Object.entries(headers).flat()
  if (isStream(body)) {
    response.writeHead(status, [...list, ...call.cors])
    // whichever of the two breaks off takes the other with it
    pipeline(body instanceof Readable ? body : Readable.from(body), response, () => undefined)
    return
  }
  // these two have no body, and must not say, or do not know, how long one would be (RFC 9110, section 8.6)
  if (status !== 204 && status !== 304) list.push('Content-Length', String(Buffer.byteLength(body)))
  if (!request.complete) response.shouldKeepAlive = false
  response.writeHead(status, [...list, ...call.cors])
  if (request.complete) response.end(body)
  else endEarly(call, body)
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
