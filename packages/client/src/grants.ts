/**
 * Subscribing through the application (DB-22): the client says to the application which patterns it wants, the
 * application checks rights in its own way and has the hub connect them. Requests go one after the other, each
 * with all that is to be said at that moment in one post (PM-02).
 */
import { type Backoff, type Clock, JSON_TYPE, reasonOf, SapwoodError } from '@sapwood/core'
import type { Problem } from './client-events.ts'
import { failure } from './failure.ts'
import { frameText } from './frame.ts'
import type { Interest, Plan } from './interest.ts'

/** Where patterns are posted as a JSON array, `{id}` replaced by the client's id; or a function that sees to it. */
export type Authorize = string | ((id: string, patterns: readonly string[]) => unknown)

export interface GrantsDeps {
  readonly interest: Interest
  readonly clock: Clock
  readonly backoff: Backoff
  readonly fetch: typeof fetch
  /** The session that is connected now. */
  readonly session: () => string | undefined
  readonly send: (frames: readonly string[]) => void
  readonly failed: (problem: Problem) => void
}

/** Milliseconds that the application has to answer. */
const PATIENCE = 20_000

export class Grants {
  readonly #authorize: Authorize
  readonly #unauthorize: Authorize | undefined
  readonly #deps: GrantsDeps
  #busy = false
  /** Ends what is waited for. */
  #wake: (() => void) | undefined

  /** @param unauthorize who is told of the end of a subscription; the hub itself where it is undefined. */
  constructor(authorize: Authorize, unauthorize: Authorize | undefined, deps: GrantsDeps) {
    this.#authorize = authorize
    this.#unauthorize = unauthorize
    this.#deps = deps
  }

  /** Says what is to be said, again if need be, until nothing is left or the session has no link. */
  async run(): Promise<void> {
    const { interest, session } = this.#deps
    if (this.#busy) return
    this.#busy = true
    for (let id = session(); id !== undefined; id = session()) {
      const plan = interest.plan()
      if (plan.connect.size + plan.disconnect.length === 0) break
      await this.#round(id, plan)
    }
    this.#busy = false
  }

  /** There is no link: neither an answer nor another attempt is to be waited for. */
  stop(): void {
    this.#wake?.()
  }

  async #round(id: string, { connect, disconnect }: Plan): Promise<void> {
    const { interest, session, send, backoff } = this.#deps
    const patterns = [...connect.values()].flat()
    interest.happened('granting', ...patterns)
    try {
      if (this.#unauthorize === undefined) send(subscriptionFrames({ disconnect }))
      else await this.#ask(this.#unauthorize, id, disconnect)
      await this.#ask(this.#authorize, id, patterns)
      if (session() === id) {
        backoff.reset()
        interest.happened('unsubscribed', ...disconnect)
        interest.happened('granted', ...patterns)
        // what was missed before, the hub is asked for directly: it covers what was granted
        connect.delete(undefined)
        return send(subscriptionFrames({ connect }))
      }
    } catch (thrown) {
      const { code, detail, status } = errorOf(thrown)
      const isFinal = status >= 400 && status < 500
      // one that is refused must not cost the others: each is asked for alone
      if (isFinal && patterns.length > 1) {
        interest.happened('refused', ...disconnect)
        return this.#singly(id, connect)
      }
      for (const pattern of patterns) this.#deps.failed({ code, detail, pattern })
      if (isFinal) return interest.happened('refused', ...patterns, ...disconnect)
    }
    interest.happened('unsaid', ...patterns, ...disconnect)
    if (session() === id) await this.#pause()
  }

  async #singly(id: string, connect: Plan['connect']): Promise<void> {
    for (const [since, patterns] of connect) {
      for (const pattern of patterns) {
        if (this.#deps.session() !== id) this.#deps.interest.happened('unsaid', pattern)
        else await this.#round(id, { connect: new Map([[since, [pattern]]]), disconnect: [] })
      }
    }
  }

  #pause(): Promise<void> {
    const { clock, backoff } = this.#deps
    return new Promise((resolve) => {
      const stopTimer = clock.after(backoff.next(), resolve)
      this.#wake = () => {
        stopTimer()
        resolve()
      }
    })
  }

  async #ask(whom: Authorize, id: string, patterns: readonly string[]): Promise<void> {
    if (patterns.length === 0) return
    if (typeof whom === 'function') {
      await whom(id, patterns)
      return
    }
    const controller = new AbortController()
    this.#wake = () => controller.abort()
    const stopTimer = this.#deps.clock.after(PATIENCE, this.#wake)
    try {
      const response = await this.#deps.fetch(whom.replaceAll('{id}', encodeURIComponent(id)), {
        method: 'POST',
        headers: { 'content-type': JSON_TYPE },
        body: JSON.stringify(patterns),
        signal: controller.signal,
      })
      // it says nothing, but unread it would hold its connection
      await response.text()
      const { ok, status, url } = response
      if (!ok) throw failure('AUTHORIZE_REFUSED', `${url} answered ${status}`, status)
    } finally {
      stopTimer()
    }
  }
}

/** What is said to the hub itself. */
export function subscriptionFrames({
  connect = new Map(),
  disconnect = [],
}: Partial<Plan>): string[] {
  const frames: string[] = []
  for (const [after, message] of connect)
    frames.push(frameText({ path: '::connect', message, after }))
  if (disconnect.length > 0) frames.push(frameText({ path: '::disconnect', message: disconnect }))
  return frames
}

function errorOf(thrown: unknown): SapwoodError {
  return thrown instanceof SapwoodError
    ? thrown
    : failure('AUTHORIZE_FAILED', reasonOf(thrown), 502)
}
