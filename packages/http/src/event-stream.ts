/**
 * A session over one long HTTP response: server-sent events, or the same as NDJSON lines. The response has no length
 * and no chunks: it ends with its connection, so that the bytes of a broadcast are shared by all sockets.
 */
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Update } from '@sapwood/core'
import type { Downstream, Farewell, Session } from '@sapwood/hub'
import { SOCKET_LIMIT } from '@sapwood/hub'
import { retryLine } from '@sapwood/wire'
import type { BatchEncoder } from './batch-encoder.ts'
import { bye } from './farewell.ts'
import type { GatheredWrites } from './gathered-writes.ts'
import type { Headers } from './problem.ts'

export class EventStream implements Downstream {
  readonly kind: 'sse' | 'stream'
  readonly greets = true
  readonly pings = true
  readonly #response: ServerResponse
  readonly #socket: Socket
  readonly #encoder: BatchEncoder
  readonly #writes: GatheredWrites
  /** Up to here everything was written. */
  #at = ''

  constructor(
    kind: 'sse' | 'stream',
    response: ServerResponse,
    socket: Socket,
    encoder: BatchEncoder,
    writes: GatheredWrites,
  ) {
    this.kind = kind
    this.#response = response
    this.#socket = socket
    this.#encoder = encoder
    this.#writes = writes
  }

  get room(): number {
    return SOCKET_LIMIT - this.#socket.writableLength - this.#writes.heldOf(this.#socket)
  }

  /** Says at which position the client begins. */
  from(at: string): void {
    this.#at = at
  }

  /** Begins the response and lets the session know how the connection goes. */
  open(session: Session, headers: Headers): void {
    begin(this.#response, this.kind, headers)
    this.#socket.on('drain', () => session.drained())
    this.#response.on('close', () => session.detach(this))
  }

  send(updates: readonly Update[]): void {
    this.#at = updates.at(-1)?.at || this.#at
    this.#writes.write(this.#socket, this.#encoder.encode(updates))
  }

  /** Nobody answers on a one-way stream; a connection that takes nothing any more shows by being full. */
  probe(): boolean {
    return false
  }

  close(farewell: Farewell): readonly Update[] {
    if (this.#socket.destroyed) return []
    this.#writes.release()
    if (farewell.reason === 'dead') this.#socket.destroy()
    else {
      // what still waits in the session has not been given: its position must not be told
      const last = bye(farewell, this.#at)
      if (this.kind === 'sse' && farewell.retryAfter !== undefined) {
        this.#socket.write(retryLine(farewell.retryAfter))
      }
      this.#socket.end(this.#encoder.encode([last]))
    }
    return []
  }
}

function begin(response: ServerResponse, kind: 'sse' | 'stream', headers: Headers): void {
  response.useChunkedEncodingByDefault = false
  response.shouldKeepAlive = false
  response.writeHead(200, [
    'Content-Type',
    kind === 'sse' ? 'text/event-stream' : 'application/x-ndjson',
    'Cache-Control',
    'no-store',
    'X-Accel-Buffering',
    'no',
    ...headers,
  ])
  response.flushHeaders()
}

/**
 * Answers somebody who cannot be served now: an event stream that only says when to come back.
 * @param at where the client's cursor stands.
 */
export function sendAway(
  response: ServerResponse,
  kind: 'sse' | 'stream',
  farewell: Farewell,
  encoder: BatchEncoder,
  headers: Headers,
  at: string,
): void {
  begin(response, kind, headers)
  if (kind === 'sse') response.write(retryLine(farewell.retryAfter ?? 1000))
  response.end(encoder.encode([bye(farewell, at)]))
}
