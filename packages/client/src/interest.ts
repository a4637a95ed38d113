/**
 * Which patterns the client wants and which of them the hub holds, and what has to be said to make the two agree.
 * Pure bookkeeping: the hub's words come in, a plan comes out.
 * Invariant: at most one request is under way for a pattern, so its answer cannot be mistaken; and a pattern that
 * was held when its session was lost asks for what it missed since then.
 */
import { Matcher } from '@sapwood/core'

type Standing =
  /** The hub does not hold it. */
  | 'absent'
  /** The application is being asked to have it connected. */
  | 'granting'
  /** The hub was asked for it. */
  | 'asked'
  /** The application had it connected, and the hub was asked for what was missed before. */
  | 'retaking'
  /** The hub holds it. */
  | 'held'
  /** The hub was asked to let go. */
  | 'leaving'
  /** The hub said no, or took it away; it is asked again in the next session, or by the next subscriber. */
  | 'refused'

/** What happens to a pattern. */
export type InterestEvent =
  /** The hub holds it now. */
  | 'subscribed'
  /** The hub does not hold it any more, because it was asked to or of its own accord. */
  | 'unsubscribed'
  | 'refused'
  /** A request for it did not get through. */
  | 'unsaid'
  /** The application is asked first; what was planned is said when it has answered. */
  | 'granting'
  | 'granted'
  /** The session goes on, and the hub holds it. */
  | 'kept'
  /** The session goes on, and the hub does not hold it. */
  | 'missing'
  /** A new session holds nothing. */
  | 'renewed'

type Row = Readonly<Partial<Record<InterestEvent, Standing>>>

/** Where an event leads, whatever stood before. */
const ANY: Row = { refused: 'refused', missing: 'absent', renewed: 'absent' }

/** Where an event leads else; what is named in neither place is old news and changes nothing. */
const NEXT: Readonly<Record<Standing, Row>> = {
  // whatever the hub holds by now, what was missed is still to be asked for
  absent: { refused: 'absent' },
  granting: { granted: 'held', unsaid: 'absent', missing: 'granting' },
  asked: { granting: 'granting', subscribed: 'held', kept: 'held', unsaid: 'absent' },
  // that it is held says nothing about what was to be replayed
  retaking: { subscribed: 'held', unsubscribed: 'refused', kept: 'absent' },
  held: { unsubscribed: 'refused' },
  leaving: { unsubscribed: 'absent', refused: 'absent', unsaid: 'held', kept: 'held' },
  refused: { subscribed: 'held', kept: 'held', missing: 'refused' },
}

interface Entry {
  wanted: boolean
  standing: Standing
  /** Where the pattern's updates were last complete, if a session was lost since. */
  since: string | undefined
}

/** What has to be said now. */
export interface Plan {
  /** Patterns to ask for, under the position since which they miss something, or undefined. */
  readonly connect: Map<string | undefined, readonly string[]>
  readonly disconnect: readonly string[]
}

export class Interest {
  readonly #entries = new Map<string, Entry>()
  /** What a pattern that is new to it asks for, until the first hello: a position handed in by the user. */
  #since: string | undefined

  /** @param since a position up to which everything is known already. */
  constructor(since?: string) {
    this.#since = since
  }

  /** Wants a pattern, or wants it no longer. */
  want(pattern: string, wanted: boolean): void {
    const entry = this.#entries.get(pattern)
    if (entry !== undefined) {
      entry.wanted = wanted
      if (entry.standing === 'refused') entry.standing = 'absent'
      this.#tidy(pattern, entry)
    } else if (wanted) {
      this.#entries.set(pattern, { wanted, standing: 'absent', since: this.#since })
    }
  }

  /** What is to be said now; it counts as said. */
  plan(): Plan {
    const connect: Plan['connect'] = new Map()
    const disconnect: string[] = []
    for (const [pattern, entry] of this.#entries) {
      const { wanted, standing, since } = entry
      if (wanted && standing === 'absent') {
        entry.standing = 'asked'
        connect.set(since, [...(connect.get(since) ?? []), pattern])
      } else if (!wanted && standing === 'held') {
        entry.standing = 'leaving'
        disconnect.push(pattern)
      }
    }
    return { connect, disconnect }
  }

  /** The same happens to several patterns. */
  happened(event: InterestEvent, ...patterns: readonly string[]): void {
    for (const pattern of patterns) {
      const entry = this.#entries.get(pattern)
      if (entry !== undefined) this.#step(pattern, entry, event)
    }
  }

  /** The same session goes on; `held` is what the hub holds of it, if it said so. */
  resumed(held: readonly unknown[] | undefined): void {
    this.#since = undefined
    for (const [pattern, entry] of this.#entries) {
      const holds = held?.includes(pattern) ?? /^(held|leaving)$/.test(entry.standing)
      this.#step(pattern, entry, holds ? 'kept' : 'missing')
    }
  }

  /** A new session holds nothing yet; the former one was complete up to `cursor`. */
  renewed(cursor: string | undefined): void {
    this.#since = undefined
    for (const [pattern, entry] of this.#entries) {
      if (entry.standing === 'held') entry.since ??= cursor
      this.#step(pattern, entry, 'renewed')
    }
  }

  /**
   * Does the replay that a granted pattern waits for bring `path`? Live updates of it are not to be taken, or they
   * would come twice.
   */
  replays(path: string): boolean {
    const waiting = [...this.#entries].filter(
      ([, { standing, since }]) =>
        since !== undefined && (standing === 'granting' || standing === 'retaking'),
    )
    if (waiting.length === 0) return false
    const matcher = new Matcher<string>()
    for (const [pattern] of waiting) matcher.add(pattern, pattern)
    return matcher.match(path).length > 0
  }

  #step(pattern: string, entry: Entry, event: InterestEvent): void {
    const next = NEXT[entry.standing][event] ?? ANY[event] ?? entry.standing
    if (entry.standing === 'granting' && next === 'held' && entry.since !== undefined) {
      entry.standing = 'retaking'
    } else {
      entry.standing = next
      if (next === 'held') entry.since = undefined
    }
    this.#tidy(pattern, entry)
  }

  /** Forgets what is neither wanted nor held. */
  #tidy(pattern: string, { wanted, standing }: Entry): void {
    if (!wanted && (standing === 'absent' || standing === 'refused')) this.#entries.delete(pattern)
  }
}
