/**
 * What a pipe client publishes and subscribes at the hub that it is connected to: a client of a hub as `@sapwood/client` has
 * it, on the pipe's own transport, made when it is first used. So what was said and not answered is said again, subscriptions are
 * resumed, and gaps are told.
 * Invariant: where updates are not taken, as at a listener without a hub, nothing waits: what is asked fails at once, on each
 * session of the pipe anew.
 */
import type { Client, ClientEvents, PublishOptions, Receipt, Received } from '@sapwood/client'
import { connect, thisPlatform } from '@sapwood/client'
import type { Fault, Wheel } from '@sapwood/core'
import { SapwoodError } from '@sapwood/core'
import { PipeTransport } from './pipe-transport.ts'
import { UPDATES_UNSUPPORTED } from './update-words.ts'

export interface PeerUpdatesOptions {
  readonly wheel: Wheel
  /** Milliseconds that a hello may go unanswered: as long as a session of the pipe is held. */
  readonly hold: number
  /** The server takes no updates, or none of ours any more. */
  readonly onRefused: (fault: Fault) => void
}

export class PeerUpdates {
  /** Hears of the sessions of the pipe. */
  readonly transport: PipeTransport
  readonly #options: PeerUpdatesOptions
  #client: Client | undefined
  #isClosed = false
  /** What waits for its receipt: given up when the server does not take it. */
  readonly #publishing = new Set<AbortController>()

  constructor(options: PeerUpdatesOptions) {
    this.#options = options
    this.transport = new PipeTransport({ refused: (fault) => this.#refused(fault) })
  }

  async publish(path: string, message: unknown, options: PublishOptions = {}): Promise<Receipt> {
    const client = this.#opened()
    const { refusal } = this.transport
    if (refusal !== undefined) throw errorOf(refusal)
    const { signal } = options
    const giving = new AbortController()
    const giveUp = (): void => giving.abort(signal?.reason)
    signal?.addEventListener('abort', giveUp)
    if (signal?.aborted) giveUp()
    this.#publishing.add(giving)
    try {
      return await client.publish(path, message, { ...options, signal: giving.signal })
    } finally {
      this.#publishing.delete(giving)
      signal?.removeEventListener('abort', giveUp)
    }
  }

  subscribe(pattern: string, callback: (message: unknown, update: Received) => void): () => void {
    const client = this.#opened()
    const { refusal } = this.transport
    if (refusal !== undefined) throw errorOf(refusal)
    return client.subscribe(pattern, callback)
  }

  on<Name extends keyof ClientEvents>(
    name: Name,
    handler: (event: ClientEvents[Name]) => void,
  ): () => void {
    return this.#opened().on(name, handler)
  }

  /** Waits for the receipts that are still to come, then ends the session at the hub. */
  async drain(): Promise<void> {
    this.#isClosed = true
    await this.#client?.[Symbol.asyncDispose]()
  }

  /** Ends the session at the hub; what waits is rejected with `CLIENT_CLOSED`. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#client?.close()
  }

  #opened(): Client {
    if (this.#isClosed) {
      throw new SapwoodError('CLIENT_CLOSED', 'the pipe client was closed', { status: 503 })
    }
    const { wheel, hold } = this.#options
    const { transport } = this
    this.#client ??= connect(
      NOWHERE,
      { transports: [transport], helloTimeout: hold },
      { ...thisPlatform(), clock: wheel, onOnline: (run) => transport.onOnline(run) },
    )
    return this.#client
  }

  #refused(fault: Fault): void {
    const error = errorOf(fault)
    for (const giving of this.#publishing) giving.abort(error)
    this.#options.onRefused(fault)
  }
}

/** The pipe is the only way; nothing is ever looked up under this. */
const NOWHERE = 'http://localhost'

function errorOf({ code, detail }: Fault): SapwoodError {
  return new SapwoodError(code, detail, { status: code === UPDATES_UNSUPPORTED ? 404 : 503 })
}
