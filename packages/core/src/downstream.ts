/**
 * The port between a session and what carries its updates to the client: WebSocket, SSE, stream, long poll, lines, pipe. A
 * transport attaches, takes batches while it has room, says when it has room again, and detaches.
 * Invariant: what was given to `send` leaves in that order, or the transport detaches.
 */
import type { Principal } from './component.ts'
import type { Message } from './message.ts'
import type { Update } from './update.ts'

/** Why a hub closes a transport, as the client sees it in `::bye`. */
export interface Farewell {
  readonly reason: 'replaced' | 'drain' | 'slow' | 'dead' | 'full' | 'revoked' | 'closed'
  /** Milliseconds after which coming back makes sense; absent where it makes none. */
  readonly retryAfter?: number
}

/** Bytes that may sit in one socket. */
export const SOCKET_LIMIT: number = 64 * 1024

export interface Downstream {
  readonly kind: 'ws' | 'sse' | 'stream' | 'poll' | 'line' | 'pipe' | 'memory'
  /** Does it begin with `::hello`? */
  readonly greets: boolean
  /** Is a `::ping` worth sending when nothing else was sent for so many milliseconds? */
  readonly pings: boolean
  /** Bytes that it takes now; 0 or less when it is full. It calls `session.drained()` when it has room again. */
  readonly room: number
  /** Sends a batch, in order. The array may be kept. */
  send(updates: readonly Update[]): void
  /** Asks the other end for a sign of life. False if this transport cannot, and so none is to be expected. */
  probe(): boolean
  /** Ends it. Returns what it has taken and knows not to have arrived. */
  close(farewell: Farewell): readonly Update[]
}

/** What a transport knows of the session that it carries. The hub makes them; who needs one has it handed in. */
export interface CarriedSession {
  readonly id: string
  readonly principal: Principal
  readonly name: string | undefined
  readonly ended: boolean
  attach(downstream: Downstream): void
  /**
   * The transport is gone.
   * @param clean the client said good-bye.
   */
  detach(downstream: Downstream, clean?: boolean): void
  /** The transport has room again. */
  drained(): void
  /** The other end gave a sign of life. */
  seen(): void
  /** Sends the client a control update. */
  tell(path: string, value: unknown): void
  /** Takes an answer of the client. False if that was not asked of it. */
  answer(token: string, message: Message): boolean
  /** Sends what waits, as far as the transport takes it. */
  flush(now: number): void
  /** Closes the transport and ends the session for good. */
  end(farewell?: Farewell): void
}
