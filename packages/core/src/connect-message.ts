/**
 * The message of `::connect` and `::disconnect`: `id->pattern` (DB-07, DB-08). Made and read once; whoever comes after
 * takes its parts as they are. Its text is only made where an observer reads it.
 */
import type { Message, Meta } from './message.ts'
import { JSON_TYPE, NO_META, textOf } from './message.ts'
import { patternFault } from './path.ts'

export class ConnectMessage implements Message {
  readonly id: string
  readonly pattern: string
  readonly meta: Meta

  constructor(id: string, pattern: string, meta: Meta) {
    this.id = id
    this.pattern = pattern
    this.meta = meta
  }

  get type(): string {
    return JSON_TYPE
  }

  get body(): string {
    return JSON.stringify(`${this.id}->${this.pattern}`)
  }
}

/**
 * Makes the message that connects or disconnects a component.
 * @param after the position from which on what was missed is wanted.
 */
export function connection(id: string, pattern: string, after?: string): Message {
  return new ConnectMessage(id, pattern, after === undefined ? NO_META : { after })
}

/** The two parts of `id->pattern`, or undefined for a message that says anything else. */
export function parseConnection(message: Message): { id: string; pattern: string } | undefined {
  if (message instanceof ConnectMessage) return message
  const parts = textOf(message).split('->')
  const [id, pattern] = parts
  if (parts.length !== 2 || !id || !pattern || patternFault(pattern) !== undefined) return undefined
  return { id, pattern }
}
