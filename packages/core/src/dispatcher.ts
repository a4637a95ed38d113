/**
 * Which component gets which path: the same code in the hub, where the components are sessions, and in a
 * browser, where they are callbacks. It takes `::connect`, `::disconnect` and `::gone`, then dispatches them
 * like any other update, so observers may subscribe to control itself (DB-06 to DB-10).
 * Invariant: a component gets an update once however many of its patterns match, one that subscribes during
 * a dispatch does not get that update, one that throws hinders nobody, and a component that is gone stands
 * in neither index. Updates do not nest: a mailbox stands in front.
 */
import type { Component, Principal } from './component.ts'
import { NO_ID, SYSTEM } from './component.ts'
import { parseConnection } from './connect-message.ts'
import { SapwoodError } from './errors.ts'
import { Matcher } from './matcher.ts'
import type { Message } from './message.ts'
import { message as makeMessage, TEXT_TYPE, textOf } from './message.ts'
import { isControlPath, isDirectPath } from './path.ts'
import { RECEIPT, Receipt } from './receipt.ts'
import { Update } from './update.ts'

export const CONNECT = '::connect'
export const DISCONNECT = '::disconnect'
export const CONNECTED = '::connected'
export const DISCONNECTED = '::disconnected'
export const GONE = '::gone'

export interface DispatcherDeps {
  /** Finds the component that `id->pattern` names. */
  readonly find: (id: string) => Component | undefined
  /** Takes what goes to `@name/noun`, and says how many it reached. Without it nobody is there. */
  readonly direct?: (sender: Component, path: string, message: Message) => number
  /** The position that a receipt tells for what is not retained. */
  readonly position?: () => string
  /** An id for a message whose publisher gave none. */
  readonly nextId?: () => string
  /** A receiver threw. It stays subscribed. */
  readonly onThrow?: (thrown: unknown, receiver: Component, path: string) => void
  /** A control update said nothing that could be understood. */
  readonly onIgnored?: (path: string, text: string) => void
  /** The receipt of a message that has an id of its publisher's, which may be sent again. */
  readonly onReceipt?: (sender: Component, receipt: Receipt) => void
}

class Subscriber {
  readonly component: Component
  readonly patterns = new Set<string>()
  /** The last dispatch that reached it. */
  stamp = 0

  constructor(component: Component) {
    this.component = component
  }
}

export class Dispatcher implements Component {
  id: string = NO_ID
  readonly principal: Principal = SYSTEM
  readonly #deps: DispatcherDeps
  readonly #matcher = new Matcher<Subscriber>()
  readonly #subscribers = new Map<string, Subscriber>()
  readonly #groups: Set<Subscriber>[] = []
  /** Subscriptions made during a dispatch. They take effect behind it. */
  readonly #later: { readonly subscriber: Subscriber; readonly pattern: string }[] = []
  #turn = 0
  #dispatching = false

  constructor(deps: DispatcherDeps) {
    this.#deps = deps
  }

  /** How many components hold at least one subscription. */
  get size(): number {
    return this.#subscribers.size
  }

  /** Subscribes `component`, which has an id, to a valid pattern. False if it was. */
  subscribe(component: Component, pattern: string): boolean {
    let subscriber = this.#subscribers.get(component.id)
    if (subscriber === undefined) {
      subscriber = new Subscriber(component)
      this.#subscribers.set(component.id, subscriber)
    }
    if (subscriber.patterns.has(pattern)) return false
    subscriber.patterns.add(pattern)
    if (this.#dispatching) this.#later.push({ subscriber, pattern })
    else this.#matcher.add(pattern, subscriber)
    return true
  }

  /** Ends one subscription. False if there was none. */
  unsubscribe(component: Component, pattern: string): boolean {
    const subscriber = this.#subscribers.get(component.id)
    if (subscriber === undefined || !subscriber.patterns.delete(pattern)) return false
    if (subscriber.patterns.size === 0) this.#subscribers.delete(component.id)
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
   * Takes one update and gives its sender the receipt.
   * @throws SapwoodError `UPDATE_NESTED` if it is called by a receiver of another one.
   */
  update(sender: Component, path: string, message: Message): void {
    if (this.#dispatching) {
      throw new SapwoodError(
        'UPDATE_NESTED',
        `${path} came from within the dispatch of another update; post it to the mailbox in front`,
      )
    }
    let reached: number
    if (isDirectPath(path)) reached = this.#deps.direct?.(sender, path, message) ?? 0
    else if (isControlPath(path)) {
      const took = this.#control(path, message)
      const seen = this.#dispatch(sender, path, message)
      reached = took ?? seen
    } else reached = this.#dispatch(sender, path, message)
    if (path !== RECEIPT) this.#answer(sender, message, reached)
  }

  /** Calls everybody who is subscribed to `path`. Returns how many. */
  #dispatch(sender: Component, path: string, message: Message): number {
    const groups = this.#groups
    groups.length = 0
    this.#matcher.match(path, groups)
    if (groups.length === 0) return 0
    const turn = ++this.#turn
    let reached = 0
    this.#dispatching = true
    for (let i = 0; i < groups.length; i++) {
      for (const subscriber of groups[i] as Set<Subscriber>) {
        if (subscriber.stamp === turn) continue
        subscriber.stamp = turn
        reached++
        try {
          subscriber.component.update(sender, path, message)
        } catch (thrown) {
          this.#deps.onThrow?.(thrown, subscriber.component, path)
        }
      }
    }
    this.#dispatching = false
    if (this.#later.length > 0) this.#settle()
    return reached
  }

  #settle(): void {
    for (const { subscriber, pattern } of this.#later.splice(0)) {
      const current = this.#subscribers.get(subscriber.component.id) === subscriber
      if (current && subscriber.patterns.has(pattern)) this.#matcher.add(pattern, subscriber)
    }
  }

  /** Takes a control update. Returns how many components it concerned, if it was one of ours. */
  #control(path: string, message: Message): number | undefined {
    if (path === GONE) {
      this.drop(textOf(message))
      return undefined
    }
    if (path !== CONNECT && path !== DISCONNECT) return undefined
    const connection = parseConnection(message)
    const component = connection && this.#deps.find(connection.id)
    if (connection === undefined || component === undefined) {
      this.#deps.onIgnored?.(path, textOf(message))
      return 0
    }
    const { pattern } = connection
    if (path === CONNECT) {
      this.subscribe(component, pattern)
      this.#tell(component, CONNECTED, makeMessage(pattern, TEXT_TYPE, message.meta))
      return 1
    }
    if (!this.unsubscribe(component, pattern)) return 0
    this.#tell(component, DISCONNECTED, makeMessage(pattern, TEXT_TYPE))
    return 1
  }

  #answer(sender: Component, message: Message, reached: number): void {
    const id = message.meta.id ?? this.#deps.nextId?.() ?? ''
    const at = message instanceof Update ? message.at : (this.#deps.position?.() ?? '')
    const receipt = new Receipt(id, at, reached)
    this.#tell(sender, RECEIPT, receipt)
    if (message.meta.id !== undefined) this.#deps.onReceipt?.(sender, receipt)
  }

  #tell(component: Component, path: string, message: Message): void {
    try {
      component.update(this, path, message)
    } catch (thrown) {
      this.#deps.onThrow?.(thrown, component, path)
    }
  }
}
