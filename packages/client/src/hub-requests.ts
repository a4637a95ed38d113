/**
 * Requests of a back end to a hub. What may be repeated is, with jitter, until the hub takes it or the time is up.
 * Invariant: a refusal of the hub's is an error with the hub's own code; an accident is `HUB_UNREACHABLE`.
 */
import { Backoff, type Clock, JSON_TYPE, reasonOf, SapwoodError } from '@sapwood/core'
import { accepted, Refusal } from './refusal.ts'

export interface HubRequestsDeps {
  /** Where the hub is, without a slash at the end. */
  readonly url: string
  readonly key: string | undefined
  /** Milliseconds in which a request is repeated. */
  readonly timeout: number
  readonly clock: Clock
  readonly random: () => number
  readonly fetch: typeof fetch
}

export class HubRequests {
  readonly #deps: HubRequestsDeps
  readonly #over = new AbortController()

  constructor(deps: HubRequestsDeps) {
    this.#deps = deps
  }

  /**
   * Posts JSON that may be taken twice without harm.
   *
   * @returns what the hub answers.
   * @throws SapwoodError with the hub's code, or `HUB_UNREACHABLE`.
   */
  async post(target: string, body: string): Promise<unknown> {
    const { clock, random, timeout } = this.#deps
    const backoff = new Backoff({ first: 200, highest: 2_000, random })
    const init = { method: 'POST', headers: { 'content-type': JSON_TYPE }, body }
    const late = new AbortController()
    let failure = unanswered(timeout)
    const stopTimer = clock.after(timeout, () => late.abort(failure))
    try {
      for (;;) {
        let least = 0
        try {
          const response = await this.#send(target, init, [late.signal])
          return await (await accepted(response)).json()
        } catch (thrown) {
          failure = errorOf(thrown)
          const { status, code } = failure
          if (late.signal.aborted || code === CLOSED) throw failure
          if (status !== 429 && status !== 503) throw failure
          if (thrown instanceof Refusal) least = thrown.closing.retryAfter ?? 0
        }
        await this.#wait(backoff.next(least), late.signal)
      }
    } finally {
      stopTimer()
    }
  }

  /**
   * Sends a request once; the answer may be any.
   *
   * @param limit milliseconds in which `read` has to be done with the answer.
   * @param signal gives it up.
   * @throws SapwoodError `HUB_UNREACHABLE`; what `read` throws.
   */
  async send<Answer>(
    target: string,
    init: RequestInit,
    limit: number,
    read: (response: Response) => Promise<Answer>,
    signal?: AbortSignal,
  ): Promise<Answer> {
    const late = new AbortController()
    const stopTimer = this.#deps.clock.after(limit, () => late.abort(unanswered(limit)))
    try {
      const others = signal === undefined ? [] : [signal]
      return await read(await this.#send(target, init, [late.signal, ...others]))
    } finally {
      stopTimer()
    }
  }

  /** Gives up what is under way. */
  close(): void {
    this.#over.abort(new SapwoodError(CLOSED, 'the publisher was closed', { status: 503 }))
  }

  async #send(
    target: string,
    init: RequestInit,
    others: readonly AbortSignal[],
  ): Promise<Response> {
    const { url, key, fetch } = this.#deps
    const signals = [this.#over.signal, ...others]
    const headers = new Headers(init.headers)
    if (key !== undefined) showKey(headers, key)
    for (const one of signals) one.throwIfAborted()
    try {
      return await fetch(`${url}${target}`, { ...init, headers, signal: AbortSignal.any(signals) })
    } catch (cause) {
      for (const one of signals) one.throwIfAborted()
      throw unreachable(`${url}: ${reasonOf(Object(cause).cause ?? cause)}`, cause)
    }
  }

  #wait(ms: number, late: AbortSignal): Promise<void> {
    const { signal } = this.#over
    return new Promise((resolve, reject) => {
      const release = (): void => {
        stopTimer()
        for (const one of [signal, late]) one.removeEventListener('abort', stop)
      }
      const stop = (): void => {
        release()
        reject(signal.aborted ? signal.reason : late.reason)
      }
      const stopTimer = this.#deps.clock.after(ms, () => {
        release()
        resolve()
      })
      for (const one of [signal, late]) one.addEventListener('abort', stop)
    })
  }
}

const CLOSED = 'CLIENT_CLOSED'

/** What `Headers` says of a key that it does not take holds the key. */
function showKey(headers: Headers, key: string): void {
  try {
    headers.set('authorization', `Bearer ${key}`)
  } catch {
    const detail = 'no header can carry this key; write it in visible ASCII characters'
    throw new SapwoodError('CREDENTIAL_INVALID', detail, { status: 401 })
  }
}

function errorOf(thrown: unknown): SapwoodError {
  if (thrown instanceof SapwoodError) return thrown
  if (!(thrown instanceof Refusal)) return unreachable(reasonOf(thrown), thrown)
  const { code, detail, status = 503 } = thrown.closing
  return new SapwoodError(code, detail, { status })
}

function unanswered(ms: number): SapwoodError {
  return unreachable(`it did not answer within ${ms} ms`)
}

function unreachable(reason: string, cause?: unknown): SapwoodError {
  const detail = `the hub cannot be reached: ${reason}; is it running at this address?`
  return new SapwoodError('HUB_UNREACHABLE', detail, { status: 503, cause })
}
