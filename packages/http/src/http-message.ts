/**
 * What is used of a request of HTTP and of its response. Those of node:http have it all, and so have a request that came
 * whole, which node:http never saw, and its response.
 */
import type { Socket } from 'node:net'

export interface HttpRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly httpVersionMinor: number
  readonly rawHeaders: readonly string[]
  readonly rawTrailers: readonly string[]
  readonly socket: Socket
  /** Has all of it come? */
  readonly complete: boolean
  pause(): unknown
  resume(): unknown
  destroy(): unknown
}

export interface HttpResponse {
  readonly headersSent: boolean
  /** May another request follow on the connection? */
  shouldKeepAlive: boolean
  readonly socket: Socket | null
  /** @throws TypeError of what is no header. */
  writeHead(status: number, headers: string[]): unknown
  /** Sends the head before there is a body. */
  flushHeaders(): void
  /** @returns false if the connection has no room: then `drain` follows. */
  write(part: Uint8Array): boolean
  /** @throws TypeError of what is no header. */
  addTrailers(trailers: readonly [string, string][]): void
  end(): unknown
  end(body: Uint8Array | string): unknown
  end(body: string, encoding: 'latin1' | 'utf8'): unknown
  writeContinue(): void
  writeProcessing(): void
  writeEarlyHints(hints: Record<string, string[]>): void
  on(event: 'drain', listener: () => void): unknown
  cork(): void
  uncork(): void
  destroy(): unknown
}
