/** A hub with a port for lines, and clients that speak to it as anybody would: over sockets. */
import { createSocket, type Socket as Datagrams } from 'node:dgram'
import { once } from 'node:events'
import { connect as dial, type Socket } from 'node:net'
import type { HubOptions } from '@sapwood/hub'
import { Hub } from '@sapwood/hub'
import type { LineIngressOptions } from '@sapwood/net'
import { type HostAddress, LineIngress } from '@sapwood/net'
import { lineHost } from 'sapwood'
import type { Test } from 'tap'

export interface LinePortOptions {
  readonly hub?: HubOptions
  readonly line?: LineIngressOptions
  /** As in `sapwood dev`: whoever is on this machine is trusted. */
  readonly dev?: boolean
}

export class LinePort {
  readonly hub: Hub
  readonly ingress: LineIngress<never>
  address: HostAddress = { host: '127.0.0.1', port: 0 }
  readonly #clients: { close(): void }[] = []

  constructor({ hub = {}, line = {}, dev = true }: LinePortOptions = {}) {
    this.hub = new Hub(hub)
    this.ingress = new LineIngress(lineHost(this.hub, { keys: ['s3cret'], dev }), line) as never
  }

  static async open(t: Test, options?: LinePortOptions): Promise<LinePort> {
    const port = new LinePort(options)
    port.address = (await port.ingress.listen(port.address)) as HostAddress
    t.teardown(() => port.close())
    return port
  }

  async client(text = ''): Promise<LineSocket> {
    const socket = dial(this.address.port, this.address.host)
    await once(socket, 'connect')
    const client = new LineSocket(socket)
    this.#clients.push(client)
    if (text !== '') client.say(text)
    return client
  }

  async datagrams(): Promise<LineDatagramSocket> {
    const socket = createSocket('udp4')
    await new Promise<void>((resolve) =>
      socket.connect(this.address.port, this.address.host, resolve),
    )
    const client = new LineDatagramSocket(socket)
    this.#clients.push(client)
    return client
  }

  /** Bodies of what is published under `pattern`, as they come. */
  bodies(pattern: string): unknown[] {
    const bodies: unknown[] = []
    this.hub.subscribe(pattern, ({ body }) => bodies.push(body))
    return bodies
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close()
    await this.ingress.close()
    await this.hub.close()
  }
}

/** Waits until `is` is true. */
export async function until(is: () => boolean, what = String(is)): Promise<void> {
  for (const end = performance.now() + 5000; !is(); ) {
    if (performance.now() > end) throw new Error(`in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

export class LineSocket {
  readonly socket: Socket
  /** All that came and was not taken. */
  text = ''
  ended = false

  constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('utf8').on('data', (text: string) => {
      this.text += text
    })
    socket.on('close', () => {
      this.ended = true
    })
    socket.on('error', () => undefined)
  }

  say(text: string | Uint8Array): void {
    this.socket.write(text)
  }

  /** The next line. */
  async line(): Promise<string> {
    const [line = ''] = await this.lines(1)
    return line
  }

  /** The next lines, without their ends. */
  async lines(count: number): Promise<string[]> {
    let lines: string[] = []
    let looked = -1
    await until(() => {
      if (this.text.length !== looked) lines = this.text.split('\n')
      looked = this.text.length
      return lines.length > count
    }, `${count} lines`)
    this.text = lines.splice(count).join('\n')
    return lines
  }

  /** Everything up to the end of the connection. */
  async rest(): Promise<string> {
    await until(() => this.ended, 'the end of the connection')
    return this.text
  }

  close(): void {
    this.socket.destroy()
  }
}

export class LineDatagramSocket {
  readonly socket: Datagrams
  /** Datagrams that came and were not taken. */
  readonly came: string[] = []

  constructor(socket: Datagrams) {
    this.socket = socket
    socket.on('message', (bytes) => this.came.push(bytes.toString()))
  }

  say(text: string | Uint8Array): void {
    this.socket.send(text)
  }

  async next(): Promise<string> {
    await until(() => this.came.length > 0, 'a datagram')
    return this.came.shift() as string
  }

  /** Says hello, proves the address, and returns the answer. */
  async prove(name = ''): Promise<string> {
    this.say(`::hello; ${name}`)
    const cookie = (await this.next()).trim().split(' ').at(-1)
    this.say(`::hello; ${name} ${cookie}`)
    return this.next()
  }

  close(): void {
    this.socket.close()
  }
}
