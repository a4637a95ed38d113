/** A peer with a good certificate and bad manners: it greets as it should, and from then on writes whatever a test wants. */
import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'
import { PIPE_ALPN } from '@sapwood/pipe'
import { eventually } from '@sapwood/testkit'
import { FrameType, InputBuffer, PipeFramer, PipeSession } from '@sapwood/wire'
import type { World } from './peer-world.ts'

const nothing = (): undefined => undefined

/** A session that greets, and is not asked any more after that. */
function greeting(number: number): PipeSession {
  return new PipeSession(
    {
      side: 'dialler',
      id: Buffer.alloc(16, number),
      secret: Buffer.alloc(32, number),
      // each is another process, as far as the server knows
      instance: `hostile ${number}`,
    },
    {
      live: nothing,
      request: nothing,
      reset: nothing,
      closed: nothing,
      refused: nothing,
      response: nothing,
      output: nothing,
      data: nothing,
      ended: nothing,
      drained: nothing,
      writable: nothing,
      update: nothing,
      goaway: nothing,
      fault: nothing,
    },
  )
}

let peers = 0

export class HostilePeer {
  readonly socket: TLSSocket
  /** What came of each type, as text, in order. */
  readonly #heard = new Map<number, string[]>()
  readonly #streams: number[] = []
  readonly #framer = new PipeFramer()
  readonly #input = new InputBuffer()
  #asked = 0

  private constructor(socket: TLSSocket) {
    this.socket = socket
    socket.on('error', nothing)
    socket.on('data', (bytes) => {
      this.#input.push(bytes)
      this.#read()
    })
  }

  /** Greets, and waits until it is a peer. */
  static async dial(world: World, port: number, name: string): Promise<HostilePeer> {
    const identity = world.identity(name)
    const usual = { port, rejectUnauthorized: false, ALPNProtocols: [PIPE_ALPN] }
    const socket = connect({ ...usual, ...identity })
    world.t.teardown(() => socket.destroy())
    await once(socket, 'secureConnect')
    const peer = new HostilePeer(socket)
    const session = greeting(++peers)
    session.flush(session.dial(0), 1e6, socket, 0)
    await eventually('it is a peer', () => peer.heard(FrameType.session).length > 0)
    return peer
  }

  /** What came in frames of a type. */
  heard(type: number): readonly string[] {
    return this.#heard.get(type) ?? []
  }

  /** Waits for the next question. @returns its stream. */
  async question(): Promise<number> {
    await eventually('it is asked', () => this.#streams.length > this.#asked)
    return this.#streams[this.#asked++] as number
  }

  write(...bytes: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(bytes))
  }

  #read(): void {
    for (;;) {
      const part = this.#framer.decode(this.#input)
      if (part === undefined) return
      if ('code' in part) throw new Error(part.detail)
      const { type, stream, payload } = part
      this.#heard.set(type, [...this.heard(type), Buffer.from(payload).toString('latin1')])
      if (type === FrameType.headers) this.#streams.push(stream)
    }
  }
}
