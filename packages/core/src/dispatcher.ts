/**
 * Which component gets which path: the same code in the hub, where the components are sessions, and in a
 * browser, where they are callbacks.
 * Invariant: a component gets an update once however many of its patterns match, one that subscribes during
 * a dispatch does not get that update, one that unsubscribes does not get it any more, and one that throws hinders
 * nobody. Updates do not nest.
 */
import { Matcher } from './matcher.ts'

/** Somebody who can be subscribed: in the hub a component, in a browser a callback. */
export interface Receiver<Sender, Message> {
  readonly id: string
  update(sender: Sender, path: string, message: Message): void
}

class Subscriber<Sender, Message> {
  readonly receiver: Receiver<Sender, Message>
  readonly patterns = new Set<string>()
  /** The last dispatch that reached it. */
  stamp = 0

  constructor(receiver: Receiver<Sender, Message>) {
    this.receiver = receiver
  }
}

type OnThrow<Sender, Message> = (
  thrown: unknown,
  receiver: Receiver<Sender, Message>,
  path: string,
) => void

/** A subscription that waits for the end of a dispatch. */
interface Later<Sender, Message> {
  readonly subscriber: Subscriber<Sender, Message>
  readonly pattern: string
}

export class Dispatcher<Sender, Message> {
  readonly #onThrow: OnThrow<Sender, Message> | undefined
  readonly #matcher = new Matcher<Subscriber<Sender, Message>>()
  readonly #subscribers = new Map<string, Subscriber<Sender, Message>>()
  readonly #groups: Set<Subscriber<Sender, Message>>[] = []
  /** Subscriptions made during a dispatch. They take effect behind it. */
  readonly #later: Later<Sender, Message>[] = []
  #turn = 0
  #dispatching = false

  /** @param onThrow told of a receiver that threw. It stays subscribed. */
  constructor(onThrow?: OnThrow<Sender, Message>) {
    this.#onThrow = onThrow
  }

  /** True while receivers are called; `dispatch` must not be called then. */
  get dispatching(): boolean {
    return this.#dispatching
  }

  /** How many receivers hold at least one subscription. */
  get size(): number {
    return this.#subscribers.size
  }

  /** Subscribes `receiver`, which has an id, to a valid pattern. False if it was. */
  subscribe(receiver: Receiver<Sender, Message>, pattern: string): boolean {
    let subscriber = this.#subscribers.get(receiver.id)
    if (subscriber === undefined) {
      subscriber = new Subscriber(receiver)
      this.#subscribers.set(receiver.id, subscriber)
    }
    if (subscriber.patterns.has(pattern)) return false
    subscriber.patterns.add(pattern)
    if (this.#dispatching) this.#later.push({ subscriber, pattern })
    else this.#matcher.add(pattern, subscriber)
    return true
  }

  /** Ends one subscription. False if there was none. */
  unsubscribe(receiver: Receiver<Sender, Message>, pattern: string): boolean {
    const subscriber = this.#subscribers.get(receiver.id)
    if (subscriber === undefined || !subscriber.patterns.delete(pattern)) return false
    if (subscriber.patterns.size === 0) this.#subscribers.delete(receiver.id)
    this.#matcher.remove(pattern, subscriber)
    return true
  }

  /** Ends all subscriptions of an id, whether or not the registry still knows it. */
  drop(id: string): void {
    const subscriber = this.#subscribers.get(id)
    if (subscriber === undefined) return
    this.#subscribers.delete(id)
    for (const pattern of subscriber.patterns) this.#matcher.remove(pattern, subscriber)
  }

  patternsOf(id: string): ReadonlySet<string> | undefined {
    return this.#subscribers.get(id)?.patterns
  }

  /**
   * Calls everybody who is subscribed to `path`. Returns how many.
   * @example dispatcher.dispatch(sender, 'orders/42', jsonMessage({ state: 'paid' }))
   */
  dispatch(sender: Sender, path: string, message: Message): number {
    const groups = this.#groups
    groups.length = 0
    this.#matcher.match(path, groups)
    if (groups.length === 0) return 0
    const turn = ++this.#turn
    let reached = 0
    this.#dispatching = true
    for (let i = 0; i < groups.length; i++) {
      for (const subscriber of groups[i] as Set<Subscriber<Sender, Message>>) {
        if (subscriber.stamp === turn) continue
        subscriber.stamp = turn
        reached++
        try {
          subscriber.receiver.update(sender, path, message)
        } catch (thrown) {
          this.#onThrow?.(thrown, subscriber.receiver, path)
        }
      }
    }
    this.#dispatching = false
    if (this.#later.length > 0) this.#settle()
    return reached
  }

  #settle(): void {
    for (const { subscriber, pattern } of this.#later.splice(0)) {
      const current = this.#subscribers.get(subscriber.receiver.id) === subscriber
      if (current && subscriber.patterns.has(pattern)) this.#matcher.add(pattern, subscriber)
    }
  }
}
