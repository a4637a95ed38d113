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

/** A receiver with what it is subscribed to. */
export class Subscriber<Sender, Message> {
  /** Undefined when it has left: whoever found it may keep this object, and is not to keep a session with it. */
  receiver: Receiver<Sender, Message> | undefined
  readonly patterns: Set<string> = new Set()
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

export class Dispatcher<Sender, Message> {
  /** Who stands under which pattern. */
  readonly matcher: Matcher<Subscriber<Sender, Message>> = new Matcher()
  readonly #onThrow: OnThrow<Sender, Message> | undefined
  readonly #subscribers = new Map<string, Subscriber<Sender, Message>>()
  /** Subscriptions made during a dispatch. They take effect behind it. */
  readonly #later: (() => void)[] = []
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

  /** By their ids: all who hold at least one subscription. */
  get subscribers(): ReadonlyMap<string, Subscriber<Sender, Message>> {
    return this.#subscribers
  }

  /** Subscribes `receiver`, which has an id, to a valid pattern. False if it was. */
  subscribe(receiver: Receiver<Sender, Message>, pattern: string): boolean {
    const subscriber = this.#subscribers.get(receiver.id) ?? new Subscriber(receiver)
    this.#subscribers.set(receiver.id, subscriber)
    const { patterns } = subscriber
    if (patterns.has(pattern)) return false
    patterns.add(pattern)
    const add = (): void => {
      // it may have left meanwhile, and even have come back
      const current = this.#subscribers.get(receiver.id) === subscriber
      if (current && patterns.has(pattern)) this.matcher.add(pattern, subscriber)
    }
    if (this.#dispatching) this.#later.push(add)
    else add()
    return true
  }

  /** Ends one subscription. False if there was none. */
  unsubscribe(receiver: Receiver<Sender, Message>, pattern: string): boolean {
    const subscriber = this.#subscribers.get(receiver.id)
    if (subscriber === undefined || !subscriber.patterns.delete(pattern)) return false
    this.matcher.remove(pattern, subscriber)
    if (subscriber.patterns.size === 0) this.#forget(receiver.id, subscriber)
    return true
  }

  /** Ends all subscriptions of an id, whether or not the registry still knows it. */
  drop(id: string): void {
    const subscriber = this.#subscribers.get(id)
    if (subscriber === undefined) return
    for (const pattern of subscriber.patterns) this.matcher.remove(pattern, subscriber)
    this.#forget(id, subscriber)
  }

  #forget(id: string, subscriber: Subscriber<Sender, Message>): void {
    this.#subscribers.delete(id)
    subscriber.receiver = undefined
  }

  /**
   * Calls everybody who is subscribed to `path`. Returns how many.
   * @example dispatcher.dispatch(sender, 'orders/42', jsonMessage({ state: 'paid' }))
   */
  dispatch(sender: Sender, path: string, message: Message): number {
    const groups = this.matcher.match(path)
    const turn = ++this.#turn
    let reached = 0
    this.begin()
    for (const group of groups) {
      for (const subscriber of group) {
        if (subscriber.stamp === turn) continue
        subscriber.stamp = turn
        reached++
        const { receiver } = subscriber
        try {
          receiver?.update(sender, path, message)
        } catch (thrown) {
          this.threw(thrown, receiver, path)
        }
      }
    }
    this.end()
    return reached
  }

  /** Receivers are called from now on, until `end`. */
  begin(): void {
    this.#dispatching = true
  }

  /** A receiver threw. */
  threw(thrown: unknown, receiver: Receiver<Sender, Message> | undefined, path: string): void {
    if (receiver !== undefined) this.#onThrow?.(thrown, receiver, path)
  }

  end(): void {
    this.#dispatching = false
    if (this.#later.length > 0) for (const add of this.#later.splice(0)) add()
  }
}
