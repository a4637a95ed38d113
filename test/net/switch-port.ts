/** A shared port for a test, services that say who they are and what they got, and clients that are just sockets. */
import { once } from 'node:events'
import type { Server, Socket } from 'node:net'
import { createServer } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { Wheel } from '@sapwood/core'
import type { Choice, HostAddress, PortSwitch, PortSwitchOptions, Target } from '@sapwood/net'
import { portSwitch, serviceTarget } from '@sapwood/net'
import { FakeClock } from '@sapwood/testkit'
import type { Test } from 'tap'
import type { RawPeer } from './raw-peer.ts'
import { dial } from './raw-peer.ts'

export class SwitchPort {
  readonly port: PortSwitch
  readonly clock: FakeClock
  readonly #wheel: Wheel

  private constructor(port: PortSwitch, clock: FakeClock, wheel: Wheel) {
    this.port = port
    this.clock = clock
    this.#wheel = wheel
  }

  /** How many waits there are. A port that is at rest has none. */
  get waits(): number {
    return this.#wheel.pending
  }

  static async open(
    t: Test,
    choice: Choice,
    options: Partial<PortSwitchOptions> = {},
  ): Promise<SwitchPort> {
    const clock = new FakeClock()
    const wheel = new Wheel(clock)
    const listen = { host: '127.0.0.1', port: 0 }
    const port = await portSwitch({ listen, ...choice, ...options }, { wheel })
    t.teardown(() => port.close())
    return new SwitchPort(port, clock, wheel)
  }

  get address(): HostAddress {
    return this.port.address as HostAddress
  }

  /** A client that said `text`, whole. */
  async client(text: string | Uint8Array = ''): Promise<RawPeer> {
    const peer = await dial(this.address)
    if (text.length > 0) peer.socket.write(text)
    return peer
  }

  /** A client whose packets are `chunks`. */
  async pieces(chunks: readonly Uint8Array[]): Promise<RawPeer> {
    const peer = await this.client()
    for (const chunk of chunks) {
      peer.socket.write(chunk)
      await turn()
    }
    return peer
  }

  /** What a client gets that says `text` and ends. */
  async answer(text: string | Uint8Array): Promise<string> {
    const peer = await this.client(text)
    peer.socket.end()
    await peer.isLeft()
    return peer.text
  }
}

/** A service that answers its name and all that it got, when the client has ended. */
export function named(name: string): Target {
  return serviceTarget((socket) => repeat(socket, name))
}

export function repeat(socket: Socket, name: string): void {
  const got: Buffer[] = []
  socket.on('data', (chunk: Buffer) => got.push(chunk))
  socket.on('end', () => socket.end(Buffer.concat([Buffer.from(`${name}:`), ...got])))
}

/** A server of another process, so to speak. */
export async function service(
  t: Test,
  serve: (socket: Socket) => void,
  listen: object = { port: 0, host: '127.0.0.1' },
): Promise<HostAddress> {
  const sockets = new Set<Socket>()
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    serve(socket)
  })
  server.listen(listen)
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const bound = server.address()
  if (bound === null || typeof bound === 'string') return { host: '', port: 0 }
  return { host: bound.address, port: bound.port }
}
