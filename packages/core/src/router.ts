/**
 * What stands at the end of the hub's chain: it takes `::connect`, `::disconnect` and `::gone`, hands what goes to a name
 * to `direct`, lets the dispatcher deal out everything, control included, so that observers may subscribe to it
 * (DB-06 to DB-10), and gives each sender its receipt.
 * Invariant: a component that is gone stands in neither index. Updates do not nest: a mailbox stands in front.
 */
import type { Component, Principal } from './component.ts'
import { NO_ID, SYSTEM } from './component.ts'
import { parseConnection } from './connect-message.ts'
import { CONNECT, CONNECTED, DISCONNECT, DISCONNECTED, GONE, RECEIPT } from './control-path.ts'
import { Dispatcher } from './dispatcher.ts'
import { SapwoodError } from './errors.ts'
import type { Message } from './message.ts'
import { message as makeMessage, TEXT_TYPE, textOf } from './message.ts'
import { isControlPath, isDirectPath } from './path.ts'
import { Receipt } from './receipt.ts'
import { Update } from './update.ts'

export interface RouterDeps {
  /** Finds the component that `id->pattern` names. */
  readonly find: (id: string) => Component | undefined
  /** Takes what goes to `@name/noun`, and says how many it reached. Without it nobody is there. */
  readonly direct?: (sender: Component, path: string, message: Message) => number
  /** The position that a receipt tells for what is not retained. */
  readonly position?: () => string
  /** An id for a message that is not retained and whose publisher gave none: characters that JSON need not escape. */
  readonly nextId?: () => string
  /** A receiver threw. It stays subscribed. */
  readonly onThrow?: (thrown: unknown, receiver: Component, path: string) => void
  /** A control update said nothing that could be understood. */
  readonly onIgnored?: (path: string, text: string) => void
  /** The receipt of a message that has an id of its publisher's, which may be sent again. */
  readonly onReceipt?: (sender: Component, receipt: Receipt) => void
}

export class Router implements Component {
  id: string = NO_ID
  readonly principal: Principal = SYSTEM
  /** Who is subscribed to what. */
  readonly dispatcher: Dispatcher<Component, Message>
  readonly #deps: RouterDeps

  constructor(deps: RouterDeps) {
    this.#deps = deps
    const onThrow = deps.onThrow
    this.dispatcher = new Dispatcher(
      onThrow && ((thrown, receiver, path) => onThrow(thrown, receiver as Component, path)),
    )
  }

  /**
   * Takes one update and gives its sender the receipt.
   * @throws SapwoodError `UPDATE_NESTED` if it is called by a receiver of another one.
   */
  update(sender: Component, path: string, message: Message): void {
    if (this.dispatcher.dispatching) {
      throw new SapwoodError(
        'UPDATE_NESTED',
        `${path} came from within the dispatch of another update; post it to the mailbox in front`,
      )
    }
    let reached: number
    if (isDirectPath(path)) reached = this.#deps.direct?.(sender, path, message) ?? 0
    else if (isControlPath(path)) {
      const took = this.#control(path, message)
      const seen = this.dispatcher.dispatch(sender, path, message)
      reached = took ?? seen
    } else if (message instanceof Update && message.found !== undefined) {
      reached = message.found.dispatch(this.dispatcher, sender, path, message)
    } else reached = this.dispatcher.dispatch(sender, path, message)
    if (path !== RECEIPT) this.#answer(sender, path, message, reached)
  }

  /** Takes a control update. Returns how many components it concerned, if it was one of ours. */
  #control(path: string, message: Message): number | undefined {
    if (path === GONE) {
      this.dispatcher.drop(textOf(message))
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
      this.dispatcher.subscribe(component, pattern)
      this.#tell(component, CONNECTED, makeMessage(pattern, TEXT_TYPE, message.meta))
      return 1
    }
    if (!this.dispatcher.unsubscribe(component, pattern)) return 0
    this.#tell(component, DISCONNECTED, makeMessage(pattern, TEXT_TYPE))
    return 1
  }

  #answer(sender: Component, path: string, message: Message, reached: number): void {
    const given = message.meta.id
    // one that somebody hands on to another path stands where it stood
    const isRetained = message instanceof Update && message.path === path
    const at = isRetained ? message.at : (this.#deps.position?.() ?? '')
    // no other update has its position
    const id = given ?? (isRetained ? at : (this.#deps.nextId?.() ?? ''))
    const receipt = new Receipt(id, at, reached, false, given !== undefined)
    this.#tell(sender, RECEIPT, receipt)
    if (given !== undefined) this.#deps.onReceipt?.(sender, receipt)
  }

  #tell(component: Component, path: string, message: Message): void {
    try {
      component.update(this, path, message)
    } catch (thrown) {
      this.#deps.onThrow?.(thrown, component, path)
    }
  }
}
