/**
 * One connection of the load: shakes hands, follows its script, then only counts.
 *
 *     opening    until the head of the handshake's answer is complete
 *     talking    until the last step of the script is answered; frames are read as text
 *     counting   for good; `FrameCounter` sees every byte behind the last answer
 *
 * Invariant: all subscribers of a process read into one buffer, and allocate nothing per read once they count.
 */
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import type { Mark } from './frame-counter.ts'
import { FrameCounter } from './frame-counter.ts'
import { clientFrame, firstFrame } from './frames.ts'
import type { Script } from './peer.ts'

const BUFFER = Buffer.allocUnsafeSlow(256 * 1024)
const KEY = 'c2Fwd29vZC1iZW5jaG1hcg=='

/** Who wants to know what becomes of a subscriber. */
export interface SubscriberOwner {
  ready(): void
  counted(updates: number): void
  lost(reason: string): void
}

export class Subscriber {
  /** The text frames of the script. */
  readonly heard: string[] = []
  received = 0
  readonly #owner: SubscriberOwner
  readonly #script: Script
  readonly #counter: FrameCounter
  readonly #socket: Socket
  #state: 'opening' | 'talking' | 'counting' = 'opening'
  #text: Buffer = Buffer.alloc(0)
  #step = 0
  #closing = false

  constructor(owner: SubscriberOwner, port: number, script: Script, mark: Mark) {
    this.#owner = owner
    this.#script = script
    this.#counter = new FrameCounter(mark)
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      onread: {
        buffer: BUFFER,
        callback: (size, buffer) => {
          this.#read(buffer as Buffer, size)
          return true
        },
      },
    })
    this.#socket.on('error', (error) => this.#lost(error.message))
    this.#socket.on('close', () => this.#lost('closed by the server'))
    this.#socket.write(handshake(script), 'latin1')
  }

  /** Takes nothing more from the socket. */
  stopReading(): void {
    this.#socket.pause()
  }

  /** Breaks the connection as a crash would; no port is left waiting. */
  break(): void {
    this.#closing = true
    this.#socket.resetAndDestroy()
  }

  #read(bytes: Buffer, size: number): void {
    if (this.#state === 'counting') this.#count(bytes, size)
    else this.#talk(Buffer.concat([this.#text, bytes.subarray(0, size)]))
  }

  #count(bytes: Buffer, size: number): void {
    const found = this.#counter.count(bytes, size)
    if (found === 0) return
    this.received += found
    this.#owner.counted(found)
  }

  #talk(bytes: Buffer): void {
    let rest = bytes
    if (this.#state === 'opening') {
      const end = rest.indexOf('\r\n\r\n')
      if (end >= 0) {
        const head = rest.toString('latin1', 0, end)
        if (!head.startsWith('HTTP/1.1 101 ')) return this.#lost(head.split('\r\n', 1)[0] as string)
        rest = rest.subarray(end + 4)
        this.#state = 'talking'
        this.#send()
      }
    }
    while (this.#state === 'talking') {
      const frame = firstFrame(rest)
      if (frame === undefined) break
      rest = rest.subarray(frame.size)
      this.heard.push(frame.text)
      const until = this.#script.steps[this.#step]?.until
      if (until !== undefined && frame.text.includes(until)) {
        this.#step++
        this.#send()
      }
    }
    this.#text = Buffer.alloc(0)
    if (this.#state !== 'counting') this.#text = Buffer.from(rest)
    else if (rest.length > 0) this.#count(rest, rest.length)
  }

  /** Sends what the script says next, up to where it waits for an answer. */
  #send(): void {
    const { steps } = this.#script
    for (; this.#step < steps.length; this.#step++) {
      const step = steps[this.#step]
      const frames = step?.send ?? []
      if (frames.length > 0) this.#socket.write(Buffer.concat(frames.map(clientFrame)))
      if (step?.until !== undefined) return
    }
    this.#state = 'counting'
    this.#owner.ready()
  }

  #lost(reason: string): void {
    if (this.#closing) return
    this.break()
    this.#owner.lost(reason)
  }
}

function handshake({ target, protocol }: Script): string {
  const lines = [
    `GET ${target} HTTP/1.1`,
    'Host: 127.0.0.1',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${KEY}`,
    ...(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
  ]
  return `${lines.join('\r\n')}\r\n\r\n`
}
