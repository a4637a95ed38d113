/** What the generated module exports, as far as it is used. */
import type { Reader, Writer } from 'protobufjs/minimal.js'

interface Message<Fields> {
  encode(message: Partial<Fields>): Writer
  decode(reader: Reader | Uint8Array): Fields
}

/** 64-bit numbers come as objects of the package `long`. */
export type Wide = number | { toNumber(): number }

export interface SessionFields {
  version: number
  oldest: number
  id: Uint8Array
  secret: Uint8Array
  link: Wide
  received: Wide
  resumed: boolean
  instance: string
  streamWindow: number
  sessionWindow: number
  streams: number
  name: string
}

export interface GoawayFields {
  last: Wide
  code: string
  detail: string
  ends: boolean
  retryAfter: number
}

export interface ResetFields {
  code: string
  detail: string
  refused: boolean
}

export interface MessageRoot {
  readonly pipe: {
    readonly Session: Message<SessionFields>
    readonly Goaway: Message<GoawayFields>
    readonly Reset: Message<ResetFields>
  }
}
