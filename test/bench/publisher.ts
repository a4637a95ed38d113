/**
 * Publishes over a few kept connections, many requests in one write. How many may be under way is the caller's
 * business; here only answers are counted, and one that is not 200 ends the measurement.
 */
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import type { Progress } from './progress.ts'

const BUFFER = Buffer.allocUnsafeSlow(256 * 1024)
const ANSWER = Buffer.from('HTTP/1.1 ')
const GOOD = 'HTTP/1.1 200 '

export class Publisher {
  answered = 0
  readonly #progress: Progress
  readonly #sockets: Socket[] = []
  #next = 0

  constructor(progress: Progress, port: number, connections: number) {
    this.#progress = progress
    for (let i = 0; i < connections; i++) this.#sockets.push(this.#connect(port))
  }

  /** Sends requests, each batch on the next connection. */
  send(requests: string): void {
    const socket = this.#sockets[this.#next++ % this.#sockets.length] as Socket
    socket.write(requests, 'latin1')
  }

  close(): void {
    for (const socket of this.#sockets.splice(0)) {
      socket.removeAllListeners('close')
      socket.resetAndDestroy()
    }
  }

  #connect(port: number): Socket {
    // an answer's first line may be cut; what is held back is shorter than that line
    let held = Buffer.alloc(0)
    const read = (size: number, buffer: Uint8Array): boolean => {
      const bytes = Buffer.concat([held, buffer.subarray(0, size)])
      const before = this.answered
      let at = 0
      for (;;) {
        const found = bytes.indexOf(ANSWER, at)
        if (found < 0 || found + GOOD.length > bytes.length) {
          held = Buffer.from(bytes.subarray(Math.max(at, found < 0 ? bytes.length - 8 : found)))
          break
        }
        at = found + GOOD.length
        if (bytes.toString('latin1', found, at) === GOOD) this.answered++
        else this.#fail(bytes.toString('latin1', found, found + 400))
      }
      if (this.answered !== before) this.#progress.notify()
      return true
    }
    const socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      onread: { buffer: BUFFER, callback: read },
    })
    socket.on('error', (error) => this.#fail(error.message))
    socket.on('close', () => this.#fail('closed by the server'))
    return socket
  }

  #fail(reason: string): void {
    this.#progress.fail(`publishing failed: ${reason}`)
  }
}
