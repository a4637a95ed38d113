/** A request that came whole, head and body in what one read of its connection brought. */
import type { Socket } from 'node:net'
import type { WholeHead } from '@sapwood/wire'
import type { HttpRequest } from '../http-message.ts'

const NONE: readonly string[] = []

export class WholeRequest implements HttpRequest {
  readonly method: string
  readonly url: string
  readonly httpVersionMinor = 1
  readonly rawHeaders: readonly string[]
  readonly rawTrailers: readonly string[] = NONE
  readonly complete = true
  readonly socket: Socket
  /** Undefined if it has none. */
  readonly body: Buffer | undefined
  /** Did others come with it? They wait until it is answered. */
  readonly isFollowed: boolean

  constructor(socket: Socket, head: WholeHead, body: Buffer | undefined, isFollowed: boolean) {
    this.method = head.method
    this.url = head.target
    this.rawHeaders = head.fields
    this.socket = socket
    this.body = body
    this.isFollowed = isFollowed
  }

  /** There is nothing left to hold up. */
  pause(): void {}

  resume(): void {}

  destroy(): void {
    this.socket.destroy()
  }
}
