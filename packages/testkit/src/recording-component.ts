/** A component that records what it is told and does nothing else. */
import type { Component, Message, Principal } from '@sapwood/core'
import { bodyValue, NO_ID, SYSTEM } from '@sapwood/core'

export interface Received {
  readonly sender: Component
  readonly path: string
  readonly message: Message
}

/**
 * @example
 * const probe = new RecordingComponent()
 * dispatcher.subscribe(probe, 'orders/*')
 * probe.lines // ['orders/42 {"state":"paid"}']
 */
export class RecordingComponent implements Component {
  id: string
  readonly principal: Principal
  readonly received: Received[] = []

  constructor(id: string = NO_ID, principal: Principal = SYSTEM) {
    this.id = id
    this.principal = principal
  }

  update(sender: Component, path: string, message: Message): void {
    this.received.push({ sender, path, message })
  }

  get paths(): string[] {
    return this.received.map(({ path }) => path)
  }

  /** `path body` of each. */
  get lines(): string[] {
    return this.received.map(({ path, message }) => `${path} ${String(message.body)}`)
  }

  /** The JavaScript value of each message, of one path if it is named. */
  values(path?: string): unknown[] {
    const wanted = this.received.filter((each) => path === undefined || each.path === path)
    return wanted.map(({ message }) => bodyValue(message))
  }

  /** What was received since the last call, which is then forgotten. */
  take(): Received[] {
    return this.received.splice(0)
  }
}
