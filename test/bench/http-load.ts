/**
 * Requests for one answer over keep-alive connections, the next on each as soon as its answer is there. It may be
 * opened again.
 * Invariant: all answers have the same length, as that of the first; whatever else comes is an error.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { pause } from './cost.ts'

const OK = 'HTTP/1.1 200 '

export class HttpLoad {
  readonly #port: number
  readonly #request: string
  #sockets: Socket[] = []
  #answers = 0
  #length = 0
  #fault: Error | undefined

  constructor(port: number, path: string) {
    this.#port = port
    this.#request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`
  }

  /** @param requests at a time, each on a connection of its own. */
  async open(requests: number): Promise<void> {
    for (let i = 0; i < requests; i++) this.#sockets.push(await this.#connect())
  }

  /** How many answers come in so many seconds. */
  async count(seconds: number): Promise<number> {
    const before = this.#answers
    await pause(seconds * 1000)
    if (this.#fault !== undefined) throw this.#fault
    return this.#answers - before
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#sockets = []
  }

  async #connect(): Promise<Socket> {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    let left = 0
    socket.on('error', (error) => {
      this.#fault = error
    })
    socket.on('data', (chunk: Buffer) => {
      if (this.#length === 0) this.#learn(chunk)
      if (left === 0) left = this.#length
      left -= chunk.length
      if (left > 0 || this.#fault !== undefined) return
      this.#answers++
      socket.write(this.#request)
    })
    socket.write(this.#request)
    return socket
  }

  #learn(first: Buffer): void {
    const text = first.toString('latin1')
    const [, size] = /\r\ncontent-length: (\d+)\r\n/i.exec(text) ?? []
    const body = text.indexOf('\r\n\r\n') + 4
    if (!text.startsWith(OK) || size === undefined || body < 4) {
      this.#fault = new Error(`the answer is ${JSON.stringify(text.slice(0, 200))}`)
      return
    }
    this.#length = body + Number(size)
  }
}
