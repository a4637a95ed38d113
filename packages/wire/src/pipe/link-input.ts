/**
 * What the frames of the newest link do.
 *
 *     state of the link   SESSION    GOAWAY    ACK, PING   numbered frames
 *     greeting            answered   refused   wrong       wrong
 *     live                wrong      goaway    taken       taken
 *     closed              -          -         -           -
 *
 * What is wrong ends the session. A link is closed when it was cut, when another has begun, or when the session is over.
 * Invariant: no frame is read from a link but the newest.
 */
import type { Fault } from '@sapwood/core'
import { FramingFault } from '../framing/framer.ts'
import type { LinkOutput } from './link-output.ts'
import type { PipeEvents } from './pipe-events.ts'
import { FLOOD, MESSAGE_INVALID, OUT_OF_ORDER } from './pipe-faults.ts'
import type { PipeFrame } from './pipe-frame.ts'
import { FrameType, readWide } from './pipe-frame.ts'
import type { PipeLink } from './pipe-link.ts'
import type { PipeReceiver } from './pipe-receiver.ts'
import type { PipeStreams } from './pipe-streams.ts'
import type { RateLimit } from './rate-limit.ts'
import type { SessionGreeting } from './session-greeting.ts'
import type { SessionMessage } from './session-messages.ts'
import { readGoaway, readSession } from './session-messages.ts'

/** What the frames of a link need of their session. */
export interface LinkOwner {
  readonly now: number
  /** It took so many milliseconds to the peer and back. */
  measured(milliseconds: number): void
  cut(link: PipeLink): void
  close(fault: Fault): void
}

/** What they act on. */
export interface LinkParts {
  readonly events: PipeEvents
  readonly greeting: SessionGreeting
  readonly streams: PipeStreams
  readonly receiver: PipeReceiver
  readonly output: LinkOutput
  readonly oddities: RateLimit
}

export class LinkInput {
  readonly #owner: LinkOwner
  readonly #events: PipeEvents
  readonly #greeting: SessionGreeting
  readonly #streams: PipeStreams
  readonly #receiver: PipeReceiver
  readonly #output: LinkOutput
  readonly #oddities: RateLimit

  constructor(owner: LinkOwner, parts: LinkParts) {
    this.#owner = owner
    this.#events = parts.events
    this.#greeting = parts.greeting
    this.#streams = parts.streams
    this.#receiver = parts.receiver
    this.#output = parts.output
    this.#oddities = parts.oddities
  }

  /** Both ends have greeted, the peer with `message`, and nothing was wrong: frames flow. */
  meet(message: SessionMessage): void {
    const { streams, streamWindow, sessionWindow, received } = message
    if (this.#greeting.meet(message)) this.#streams.begin(streams, streamWindow, sessionWindow)
    this.#output.live(received)
  }

  receive(link: PipeLink, chunk: Uint8Array): void {
    const { input, framer } = link
    input.push(chunk)
    while (link.state !== 'closed') {
      const frame = framer.decode(input)
      if (frame === undefined) break
      const fault = frame instanceof FramingFault ? frame : this.#frame(link, frame)
      if (fault !== undefined) this.#owner.close(fault)
    }
    if (this.#receiver.isFull) this.#output.wake()
  }

  #frame(link: PipeLink, frame: PipeFrame): Fault | undefined {
    const { type } = frame
    if (link.state === 'greeting') return this.#greeted(link, frame)
    if (type >= FrameType.headers) return this.#receiver.take(frame, this.#owner.now)
    if (frame.stream !== 0) return OUT_OF_ORDER
    if (type === FrameType.ack) {
      return this.#output.acknowledged(readWide(frame.payload), this.#owner.now)
    }
    if (type === FrameType.ping) return this.#ping(frame)
    return type === FrameType.goaway ? this.#goaway(link, frame.payload) : OUT_OF_ORDER
  }

  #greeted(link: PipeLink, { type, stream, payload }: PipeFrame): Fault | undefined {
    if (stream !== 0) return OUT_OF_ORDER
    if (type === FrameType.goaway) return this.#refused(link, payload)
    if (type !== FrameType.session) return OUT_OF_ORDER
    const answer = readSession(payload, true)
    const fault = answer === undefined ? MESSAGE_INVALID : this.#greeting.faultOf(answer)
    if (answer === undefined || fault !== undefined) return fault
    this.#measured()
    this.meet(answer)
    this.#events.live(answer.resumed)
    return undefined
  }

  #refused(link: PipeLink, payload: Uint8Array): Fault | undefined {
    const message = readGoaway(payload)
    if (message === undefined) return MESSAGE_INVALID
    // the peer knows that it is over, and is told nothing more
    link.state = 'closed'
    if (message.ends) return message
    this.#owner.cut(link)
    this.#events.refused(message, message.retryAfter)
    return undefined
  }

  #goaway(link: PipeLink, payload: Uint8Array): Fault | undefined {
    const message = readGoaway(payload)
    if (message === undefined) return MESSAGE_INVALID
    const isNews = this.#streams.leave(message.last)
    this.#receiver.hasten()
    if (message.ends) {
      link.state = 'closed'
      return message
    }
    if (isNews) this.#events.goaway(message, message.retryAfter)
    return this.#isFlood() ? FLOOD : undefined
  }

  #ping({ ends, payload }: PipeFrame): Fault | undefined {
    if (ends) this.#measured(payload)
    else if (this.#isFlood()) return FLOOD
    else this.#output.pong(payload)
    return undefined
  }

  #measured(pong?: Uint8Array): void {
    const milliseconds = this.#output.roundTrip(this.#owner.now, pong)
    if (milliseconds !== undefined) this.#owner.measured(milliseconds)
  }

  #isFlood(): boolean {
    return this.#oddities.exceeded(this.#owner.now)
  }
}
