/**
 * The hub's HTTP side, as event stream and long poll need it: requests down, and posts up, numbered from 1, of which
 * the hub applies each once and in order. It outlives links, for the numbers go on. One post at a time; what comes up
 * meanwhile goes with the next.
 * Invariant: a post whose fate is unknown is repeated, unchanged, before anything else is sent, over however many
 * links; only so can its number not swallow another.
 */
import { type Frame, readFrame } from './frame.ts'
import { accepted, closingOfThrown } from './refusal.ts'
import { type Closing, takeBundle } from './transport.ts'

type Query = Readonly<Record<string, string | undefined>>

/** The answer to a poll. */
export interface Polled {
  /** The session's public id. */
  readonly id: string
  /** Its secret. */
  readonly token: string
  readonly frames: readonly Frame[]
  /** The cursor behind these frames. */
  readonly at?: string | undefined
}

export class HttpHub {
  readonly #url: string
  readonly #fetch: typeof fetch
  /** What the last poll said to come back with. */
  #next = ''
  /** The session that posts are numbered for, and its secret. */
  #id: string | undefined
  #token = ''
  #number = 1
  /** The post that the hub has not answered. */
  #pending: string | undefined
  #queue: string[] = []
  /** The link that is served. */
  #signal: AbortSignal | undefined
  #failed: ((closing: Closing) => void) | undefined
  /** The link whose posts are under way. */
  #busy: AbortSignal | undefined

  /** @param url where the hub is, without a slash at the end. */
  constructor(url: string, fetcher: typeof fetch) {
    this.#url = url
    this.#fetch = fetcher
  }

  /** @param query what is undefined is left out. @throws Refusal */
  async get(path: string, query: Query, signal: AbortSignal): Promise<Response> {
    const said = new URLSearchParams(JSON.parse(JSON.stringify(query)))
    return accepted(await this.#fetch(`${this.#url}${path}?${said}`, { signal }))
  }

  /** Polls the session of `token`; without one opens a session. @throws Refusal */
  async poll(token: string | undefined, query: Query, signal: AbortSignal): Promise<Polled> {
    const next = this.#next.startsWith(`${token}/`) ? this.#next : `${token}/0`
    const path = token === undefined ? '' : `/${next}`
    const response = await this.get(`/poll${path}`, query, signal)
    const { id, updates, at, reconnectWith } = await response.json()
    this.#next = reconnectWith
    const [secret] = reconnectWith.split('/')
    return { id, at, token: secret, frames: updates.map(readFrame) }
  }

  /**
   * Serves a link with posts, until its signal aborts.
   *
   * @param id the session, whose posts are numbered throughout, whatever its token is now.
   * @param failed told when a post was not taken: the link is of no use any more.
   */
  attach(id: string, token: string, signal: AbortSignal, failed: (closing: Closing) => void): void {
    if (id !== this.#id) {
      this.#number = 1
      this.#pending = undefined
    }
    this.#id = id
    this.#token = token
    this.#signal = signal
    this.#failed = failed
    this.#queue = []
  }

  /** Posts frames, each the text of a JSON object, after those that wait. */
  send(frames: readonly string[]): void {
    this.#queue.push(...frames)
    if (this.#busy !== this.#signal) void this.#run(this.#signal as AbortSignal)
  }

  /** Posts what is unanswered, or nothing at all: is the session known? @throws Refusal if it is not. */
  async sync(signal: AbortSignal): Promise<void> {
    this.#pending ??= '[]'
    await this.#post(signal)
  }

  async #run(signal: AbortSignal): Promise<void> {
    this.#busy = signal
    try {
      while (this.#pending !== undefined || this.#queue.length > 0) {
        this.#pending ??= takeBundle(this.#queue)
        await this.#post(signal)
      }
    } catch (thrown) {
      const closing = closingOfThrown(thrown)
      const code = closing.status === 413 ? 'MESSAGE_TOO_LARGE' : closing.code
      if (!signal.aborted) this.#failed?.({ ...closing, code })
    }
    if (this.#busy === signal) this.#busy = undefined
  }

  async #post(signal: AbortSignal): Promise<void> {
    const response = await this.#fetch(`${this.#url}/session/${this.#token}/${this.#number}`, {
      method: 'POST',
      // a string is text/plain, for which a browser asks no other origin's leave first
      body: this.#pending as string,
      signal,
    })
    // neither the post nor its number were taken
    if (response.status >= 400 && response.status < 500) this.#pending = undefined
    // it says nothing, but unread it would hold its connection
    await (await accepted(response)).text()
    // whatever came too late for its link is repeated on the next
    signal.throwIfAborted()
    this.#pending = undefined
    this.#number++
  }
}
