/**
 * One session at the hub for all tabs of an origin. The tab that holds a lock leads: its links to the hub serve the
 * others as well, which reach it over a channel as if it were the hub. When the leading tab goes, the browser gives
 * the lock to the next. Each tab keeps its own requests, patterns and cursor, so any may lead at any moment.
 *
 * Invariant: the hub is asked for a pattern when the first tab wants it, and told of its end by the last.
 */
import { lost } from './closing.ts'
import { type Frame, frameText, type Values } from './frame.ts'
import { subscriptionFrames } from './grants.ts'
import type { Closing, Link, LinkListener, Transport } from './transport.ts'

/** Mutual exclusion between tabs: the Web Locks of a browser. */
export interface Locks {
  request(name: string, options: { signal: AbortSignal }, run: () => Promise<void>): Promise<void>
}

/** A BroadcastChannel: everybody of that name but the sender hears what is posted. */
export interface Channel {
  postMessage(message: unknown): void
  onmessage: ((event: { readonly data: unknown }) => void) | null
  close(): void
}

export interface TabsDeps {
  /** By which tabs find each other. */
  readonly name: string
  /** This tab, unlike any other. */
  readonly tab: string
  readonly locks: Locks
  readonly channel: Channel
  /** This tab leads from now on: it is to connect by itself, over what `relay` makes of transports. */
  readonly lead: () => void
}

/** What tabs tell each other. */
type Told =
  /** A tab wants to be served. */
  | { readonly kind: 'open'; readonly from: string }
  /** A tab has something to say to the hub. */
  | { readonly kind: 'up'; readonly from: string; readonly frames: readonly string[] }
  /** The hub said something, to one tab or to all. */
  | { readonly kind: 'down'; readonly to?: string; readonly frames: readonly Frame[] }
  /** There is no link any more. */
  | { readonly kind: 'lost'; readonly closing: Closing }

/** Questions are put to the leading tab, and so is what concerns its link. */
const NOT_SHARED = /^(@|::(hello|cancel|bye)$)/

export class Tabs {
  /** What this tab uses while another leads. */
  readonly follow: Transport = {
    name: 'tab',
    open: (listener) => {
      const { tab } = this.#deps
      this.#listener = listener
      this.#tell({ kind: 'open', from: tab })
      return {
        send: (frames) => this.#tell({ kind: 'up', from: tab, frames }),
        close: async () => {
          this.#listener = undefined
        },
      }
    },
  }
  readonly #deps: TabsDeps
  readonly #over = new AbortController()
  /** Whom the frames of the leading tab are for. */
  #listener: LinkListener | undefined

  // of the leading tab
  #leads = false
  /** The other tabs that it serves. */
  readonly #served = new Set<string>()
  /** Who wants what. What nobody wants any more stays until the hub says that it has ended. */
  readonly #wants = new Map<string, Set<string>>()
  /** What the hub is known to hold of it. */
  readonly #held = new Set<unknown>()
  /** The link that was greeted, while there is one. */
  #link: Link | undefined
  /** How the hub greeted last. */
  #hello: Values = {}
  /** The position of the last frame. */
  #at: string | undefined

  constructor(deps: TabsDeps) {
    this.#deps = deps
    deps.channel.onmessage = ({ data }) => this.#heard(data as Told)
    const untilOver = (): Promise<void> =>
      new Promise((resolve) => this.#over.signal.addEventListener('abort', () => resolve()))
    this.#hold(` ${deps.tab}`, untilOver)
    this.#hold('', () => {
      this.#leads = true
      this.#tell({ kind: 'lost', closing: { ...lost('another tab leads'), comeBack: 'now' } })
      deps.lead()
      return untilOver()
    })
  }

  /** A transport of the leading tab, with the other tabs on it. */
  relay(transport: Transport): Transport {
    return {
      name: transport.name,
      open: (listener) => {
        const link = transport.open({
          greet: () => listener.greet(),
          frames: (frames) => {
            for (const frame of frames) this.#note(frame, link)
            const shared = frames.filter(({ path }) => !NOT_SHARED.test(path))
            if (shared.length > 0) this.#tell({ kind: 'down', frames: shared })
            listener.frames(frames)
          },
          closed: (closing) => {
            if (this.#link === link) this.#link = undefined
            this.#tell({ kind: 'lost', closing })
            listener.closed(closing)
          },
        })
        const answer = (frame: Frame): void => listener.frames([frame])
        return {
          send: (frames) => link.send(this.#sieve(this.#deps.tab, frames, answer)),
          close: (forGood) => link.close(forGood),
        }
      },
    }
  }

  close(): void {
    this.#over.abort()
    this.#deps.channel.close()
  }

  #hold(suffix: string, run: () => Promise<void>): void {
    const { locks, name } = this.#deps
    // the only failure there is: closed while it waited
    locks.request(name + suffix, { signal: this.#over.signal }, run).catch(() => undefined)
  }

  #tell(told: Told): void {
    this.#deps.channel.postMessage(told)
  }

  #heard(told: Told): void {
    if (told.kind === 'lost') this.#listener?.closed(told.closing)
    else if (told.kind === 'down') {
      if (told.to === undefined || told.to === this.#deps.tab) this.#listener?.frames(told.frames)
    } else if (this.#leads) {
      if (told.kind === 'open') this.#serve(told.from)
      else this.#up(told.from, told.frames)
    }
  }

  #serve(tab: string): void {
    if (!this.#served.has(tab)) {
      this.#served.add(tab)
      // free when the tab is gone, also when it could not say so
      this.#hold(` ${tab}`, async () => {
        this.#served.delete(tab)
        this.#up(tab, subscriptionFrames({ disconnect: this.#wantsOf(tab) }))
      })
    }
    this.#greet(tab)
  }

  #greet(tab: string): void {
    if (this.#link === undefined) return
    // the secret stays with the leading tab: who leads next begins a session of its own
    const said = { resume: undefined, resumed: true, at: this.#at, patterns: this.#wantsOf(tab) }
    const hello = { path: '::hello', message: { ...this.#hello, ...said } }
    this.#tell({ kind: 'down', to: tab, frames: [hello] })
  }

  #up(tab: string, frames: readonly string[]): void {
    const answer = (frame: Frame): void => this.#tell({ kind: 'down', to: tab, frames: [frame] })
    const rest = this.#sieve(tab, frames, answer)
    this.#link?.send(rest)
  }

  /** What of these the hub is to hear; the rest is answered here. */
  #sieve(tab: string, frames: readonly string[], answer: (frame: Frame) => void): string[] {
    return frames.flatMap((text) => {
      const path = /^\{"path":"(::(?:dis)?connect)"/.exec(text)?.[1]
      if (path === undefined) return [text]
      const frame = JSON.parse(text)
      const message: string[] = []
      for (const pattern of frame.message) {
        const wants = this.#wants.get(pattern) ?? new Set()
        const had = wants.size
        if (path === '::connect') wants.add(tab)
        else wants.delete(tab)
        this.#wants.set(pattern, wants)
        if (had === 0 || wants.size === 0) message.push(pattern)
        else answer({ path: `${path}ed`, message: { pattern } })
      }
      return message.length > 0 ? [frameText({ ...frame, message })] : []
    })
  }

  #wantsOf(tab: string): string[] {
    return [...this.#wants].filter(([, tabs]) => tabs.has(tab)).map(([pattern]) => pattern)
  }

  /** Keeps what the other tabs are to know. */
  #note({ path, at, message }: Frame, link: Link): void {
    const values = Object(message) as Values
    const { id, patterns, pattern } = values
    this.#at = at ?? this.#at
    if (path === '::connected') this.#held.add(pattern)
    else if (path === '::disconnected' || path === '::error') {
      this.#held.delete(pattern)
      this.#wants.delete(pattern as string)
    } else if (path === '::hello') {
      const held = id === this.#hello.id ? ((patterns as unknown[]) ?? [...this.#held]) : []
      const disconnect: string[] = []
      for (const [known, tabs] of this.#wants) {
        if (!held.includes(known)) this.#wants.delete(known)
        else if (tabs.size === 0) disconnect.push(known)
      }
      link.send(subscriptionFrames({ disconnect }))
      this.#link = link
      this.#hello = values
      for (const tab of this.#served) this.#greet(tab)
    }
  }
}
