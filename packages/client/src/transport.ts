/**
 * The port between a session and what carries its frames: WebSocket, event stream with posts, long poll. A
 * transport opens a link; the link asks what to say when it can reach the hub, then hands over frames as they
 * come, `::hello` first.
 * Invariant: frames leave and arrive in order, and after `close` or `closed` a link calls nobody any more.
 */
import type { Frame } from './frame.ts'

/** `tab` is another tab's; `pipe` that of `@sapwood/pipe`. */
export type TransportName = 'ws' | 'sse' | 'poll' | 'tab' | 'pipe'

/** What a client says to the hub at first; each field only where there is something to say. */
export interface Greeting {
  /** Its credential. */
  readonly token?: string | undefined
  /** The name that it wants to be asked under. */
  readonly name?: string | undefined
  /** The id of the session that it goes on with; the hub knows it by `resume`. */
  readonly id?: string | undefined
  /** The secret of the session that it goes on with. */
  readonly resume?: string | undefined
  /** The last position that it saw. */
  readonly after?: string | undefined
}

/** Why a link ended. */
export interface Closing {
  /** Stable, upper case. */
  readonly code: string
  readonly detail: string
  /** How soon coming back makes sense: not at all, after a while, at once. Where nobody said, as it comes. */
  readonly comeBack?: 'never' | 'later' | 'now' | undefined
  /** The hub asked not to be called for so many milliseconds; what is no time, as NaN, asks for nothing. */
  readonly retryAfter?: number | undefined
  /** The HTTP status that it came with. */
  readonly status?: number | undefined
  /** The hub does not know the session any more: the next greeting has to do without it. */
  readonly forgotten?: boolean | undefined
}

/** Whom a link tells. */
export interface LinkListener {
  /**
   * The hub can be reached. Called once, before the hub hears anything that could move the session: from now on
   * this link has the session, and the answer is what to say.
   */
  greet(): Greeting
  /** Frames in the order in which the hub sent them. */
  frames(frames: readonly Frame[]): void
  /** The link is over, at most once. */
  closed(closing: Closing): void
}

export interface Link {
  /** Sends frames, each the text of one JSON object, in order. */
  send(frames: readonly string[]): void
  /**
   * Ends it without a word to the listener.
   * @param forGood ends the session at the hub as well, where the transport can say so.
   * @returns when nothing of it is left.
   */
  close(forGood: boolean): Promise<void>
}

/** @example const silent: Transport = { name: 'ws', open: (listener) => new SilentLink(listener) } */
export interface Transport {
  readonly name: TransportName
  /** Begins to open a link. It must not call `listener` before it has returned. */
  open(listener: LinkListener): Link
}

/** Characters of frames that go out as one text: less than any hub refuses. */
const BUNDLE = 32 * 1024

/** Takes from the front of `frames` what goes out as one text, and makes it: an object, or an array of them. */
export function takeBundle(frames: string[]): string {
  let size = 0
  let count = 0
  for (const frame of frames) {
    size += frame.length
    // a larger frame goes alone
    if (count > 0 && size > BUNDLE) break
    count++
  }
  const [first, ...others] = frames.splice(0, count)
  return others.length === 0 ? (first as string) : `[${[first, ...others]}]`
}
