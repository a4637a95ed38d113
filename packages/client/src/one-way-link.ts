/** A link whose way down is followed by one function and whose way up is posts: event stream and long poll. */
import { lost } from './closing.ts'
import { frameText } from './frame.ts'
import type { HttpHub, Polled } from './http-hub.ts'
import { closingOfThrown } from './refusal.ts'
import type { Closing, Greeting, Link, LinkListener } from './transport.ts'

/** A session whose way down is to be followed. */
export interface Opened extends Polled {
  /** Is it the one that the greeting named? */
  readonly resumed: boolean
}

/** Hands frames to `link.listener` until the way down ends, or throws. */
export type Follow = (link: OneWayLink, greeting: Greeting, session: Opened) => Promise<void>

export class OneWayLink implements Link {
  readonly hub: HttpHub
  readonly listener: LinkListener
  /** Aborts when the link is over. */
  readonly signal: AbortSignal
  readonly #abort = new AbortController()
  readonly #done: Promise<void>

  constructor(hub: HttpHub, listener: LinkListener, follow: Follow) {
    this.hub = hub
    this.listener = listener
    this.signal = this.#abort.signal
    this.#done = this.#run(follow)
  }

  send(frames: readonly string[]): void {
    this.hub.send(frames)
  }

  close(): Promise<void> {
    this.#abort.abort()
    return this.#done
  }

  async #run(follow: Follow): Promise<void> {
    // the listener is not to be called before it has this link
    await undefined
    if (this.signal.aborted) return
    const greeting = this.listener.greet()
    try {
      await follow(this, greeting, (await this.#resumed(greeting)) ?? (await this.#begun(greeting)))
      this.#end(lost('the hub ended the stream'))
    } catch (thrown) {
      this.#end(closingOfThrown(thrown))
    }
  }

  /** The session that the greeting names, if the hub knows it still. */
  async #resumed({ id, resume }: Greeting): Promise<Opened | undefined> {
    if (id === undefined || resume === undefined) return undefined
    this.#attach(id, resume)
    try {
      await this.hub.sync(this.signal)
      return { id, token: resume, frames: [], resumed: true }
    } catch (thrown) {
      if (closingOfThrown(thrown).forgotten) return undefined
      throw thrown
    }
  }

  /** A new session. It begins with a poll: an event stream that began one would be a view that ends with it. */
  async #begun({ token, name }: Greeting): Promise<Opened> {
    const polled = await this.hub.poll(undefined, { token }, this.signal)
    this.#attach(polled.id, polled.token)
    const message = { version: 1, name }
    if (name !== undefined) this.send([frameText({ path: '::hello', message })])
    return { ...polled, resumed: false }
  }

  #attach(id: string, token: string): void {
    this.hub.attach(id, token, this.signal, (closing) => this.#end(closing))
  }

  #end(closing: Closing): void {
    if (this.signal.aborted) return
    this.#abort.abort()
    this.listener.closed(closing)
  }
}
