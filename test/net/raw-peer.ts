/** A peer that is nothing but a socket: what it gets, byte for byte, and whether it is still there. */
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Address } from '@sapwood/net'
import { isPath } from '@sapwood/net'
import { eventually } from '@sapwood/testkit'

export class RawPeer {
  readonly socket: Duplex
  text = ''
  ended = false
  closed = false

  constructor(socket: Duplex) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.text += chunk.toString('latin1')
    })
    socket.on('end', () => {
      this.ended = true
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
    })
  }

  /** Waits until all that came is `text`. */
  async gets(text: string): Promise<void> {
    await eventually(`${JSON.stringify(this.text)} is to be ${JSON.stringify(text)}`, () => {
      return this.text === text
    })
  }

  async isLeft(): Promise<void> {
    await eventually('the peer is left', () => this.ended || this.closed)
  }
}

/** @param localAddress where to dial from. */
export async function dial(address: Address, localAddress?: string): Promise<RawPeer> {
  const from = localAddress === undefined ? {} : { localAddress }
  const socket: Socket = connect(isPath(address) ? address : { ...address, ...from, noDelay: true })
  const peer = new RawPeer(socket)
  await new Promise((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  return peer
}
