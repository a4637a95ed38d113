/**
 * A session over a WebSocket. The bytes that come in are decoded in `wire`; what goes out is framed once per
 * update and written straight to the socket. There is one such object per connection and no closure: ten
 * thousand of them wait for hours, and what an idle client costs is what it holds.
 *
 *     state     hello             any other frame          time is up      close
 *     silent    greeting          hello is taken as said   HELLO_TIMEOUT   -
 *     greeting  waits its turn    waits its turn           -               -
 *     open      HELLO_TWICE       taken                    -               detached
 *
 * Invariant: no frame is taken before the hello is answered, and frames are taken in their order.
 */
import type { Duplex } from 'node:stream'
import type { Fault, Principal, Timed } from '@sapwood/core'
import { jsonMessage, sizeOf, Timer, Update } from '@sapwood/core'
import type { Downstream, Farewell, Session } from '@sapwood/hub'
import { ERROR, HELLO, SOCKET_LIMIT } from '@sapwood/hub'
import type { Frame, WebSocketHandler } from '@sapwood/wire'
import {
  closeFrame,
  isFault,
  pingFrame,
  pongFrame,
  readFrames,
  WebSocketDecoder,
} from '@sapwood/wire'
import type { HttpContext } from './call.ts'
import {
  bye,
  CLOSE_CODES,
  CLOSING,
  closeAnswer,
  comeBackLater,
  NO_CODE,
  NORMAL,
  SILENT,
} from './farewell.ts'
import type { Hello } from './hello.ts'
import { readHello } from './hello.ts'
import { fault } from './problem.ts'
import { FRAME_OVERHEAD } from './settings.ts'

/** Frames that may wait for a hello to be answered. */
const WAITING = 1024
/** Close codes by which a client says good-bye; from 4000 to 4099 it will not come back. */
const GOOD_BYE: ReadonlySet<number> = new Set([NORMAL, 1001, NO_CODE])
const ABNORMAL = 1006

export class WebSocketDownstream implements Downstream, WebSocketHandler, Timed {
  readonly kind = 'ws'
  readonly greets = true
  readonly pings = true
  readonly #context: HttpContext
  readonly #socket: Duplex
  readonly #address: string
  readonly #decoder: WebSocketDecoder
  #principal: Principal
  #session: Session | undefined
  #waiting: Waiting | undefined
  /** Until the hello: who says nothing holds a socket and no session, which no limit would count. */
  #silence: Timer | undefined
  #rotated = false
  #closing = false
  #code = ABNORMAL
  /** What had been sent when the last ping left: its pong confirms that. */
  #pinged = 0

  constructor(context: HttpContext, socket: Duplex, principal: Principal, address: string) {
    this.#context = context
    this.#socket = socket
    this.#principal = principal
    this.#address = address
    this.#decoder = new WebSocketDecoder(context.settings.limits.body + FRAME_OVERHEAD)
    this.#silence = new Timer(this)
    context.hub.wheel.set(this.#silence, context.settings.limits.headerTime)
  }

  get room(): number {
    return SOCKET_LIMIT - this.#socket.writableLength - this.#context.writes.heldOf(this.#socket)
  }

  send(updates: readonly Update[]): void {
    // behind a close nothing may follow; the session counts as not given what was not confirmed
    if (this.#closing) return
    const { encoders, writes } = this.#context
    writes.write(this.#socket, encoders.webSocket.encode(updates))
  }

  probe(): boolean {
    if (this.#closing) return true
    this.#pinged = this.#session?.sent ?? 0
    this.#socket.write(pingFrame())
    return true
  }

  close(farewell: Farewell): readonly Update[] {
    this.#context.writes.release()
    if (farewell.reason === 'dead') this.#socket.destroy()
    else {
      // without a position: what still waits in the session has not been given
      this.#write(bye(farewell, ''))
      this.#close(CLOSE_CODES[farewell.reason], farewell.reason)
    }
    return []
  }

  /** Bytes came in. */
  read(chunk: Uint8Array): void {
    this.#decoder.push(chunk, this)
  }

  text(text: string): void {
    if (this.#closing) return
    const frames = readFrames(text)
    if (isFault(frames)) return this.#wrong(frames)
    for (let i = 0; i < frames.length; i++) this.#take(frames[i] as Frame)
  }

  binary(): void {
    if (this.#closing) return
    this.#wrong(fault('FRAME_BINARY', 'frames are JSON text; send bytes as base64 in one'))
    this.#close(1003, 'FRAME_BINARY')
  }

  ping(payload: Uint8Array): void {
    // only the newest needs an answer, so who does not take the answers is owed none
    if (this.#closing || this.room <= 0) return
    this.#session?.seen()
    this.#socket.write(pongFrame(payload))
  }

  pong(): void {
    this.#session?.seen()
    this.#session?.confirm(this.#pinged)
  }

  /** The other end closes, or answers our close. */
  closed(code: number): void {
    this.#code = code
    if (!this.#closing) this.#close(closeAnswer(code), '')
    this.#socket.end()
  }

  fault(code: number, name: string): void {
    this.#wrong(fault(name, 'this is no frame that a client may send'))
    this.#close(code, name)
  }

  /** The socket takes bytes again. */
  drained(): void {
    this.#session?.drained()
  }

  /** No hello came. */
  expired(): void {
    this.#wrong(HELLO_LATE)
    this.#close(SILENT, HELLO_LATE.code)
  }

  /** The socket is gone. */
  ended(): void {
    this.#heard()
    const session = this.#session
    if (session === undefined) return
    const code = this.#code
    if (code >= 4000 && code < 4100 && session.downstream === this) session.end()
    else session.detach(this, GOOD_BYE.has(code))
  }

  #take(frame: Frame): void {
    const session = this.#session
    if (session !== undefined) {
      // who was taken over or has ended says nothing more
      if (session.ended || (session.attached && session.downstream !== this)) return
      if (this.#rotated) {
        this.#rotated = false
        this.#context.hub.sessions.forgetFormer(session)
      }
      // who only speaks may have stopped to read
      if (this.room > 0) session.seen()
      this.#context.hub.receive(session, frame.path, frame.message)
    } else if (this.#closing) return
    else if (this.#waiting !== undefined) {
      if (this.#hasRoom(this.#waiting, frame)) this.#waiting.frames.push(frame)
      else this.#close(1008, 'LIMIT_WAITING')
    } else if (frame.path === HELLO) this.#greet(readHello(frame.message))
    else {
      this.#greet({})
      this.#take(frame)
    }
  }

  #hasRoom(waiting: Waiting, { message }: Frame): boolean {
    waiting.size += sizeOf(message.body)
    return waiting.frames.length < WAITING && waiting.size <= this.#context.settings.limits.body
  }

  #heard(): void {
    if (this.#silence !== undefined) this.#context.hub.wheel.clear(this.#silence)
    this.#silence = undefined
  }

  #greet(hello: Hello | Fault): void {
    this.#heard()
    if (isFault(hello)) return this.#refuse(hello)
    if (hello.token === undefined) return this.#open(hello)
    this.#waiting = { frames: [], size: 0 }
    this.#context.trust.login(hello.token, {
      identified: (problem, principal) => {
        if (this.#closing || this.#socket.destroyed) return
        if (problem !== undefined) return this.#refuse(problem)
        this.#principal = principal
        this.#open(hello)
      },
    })
  }

  #open(hello: Hello): void {
    const { hub } = this.#context
    const { resume = '' } = hello
    const known = hub.sessions.find(resume)
    const full = known === undefined ? hub.sessions.full(this.#address) : undefined
    if (full !== undefined || hub.draining) {
      hub.counters.fault(full?.code ?? 'DRAINING')
      this.close(comeBackLater(full ? 'full' : 'drain'))
      return
    }
    const principal = this.#principal
    const session = known ?? hub.open({ principal, address: this.#address })
    this.#session = session
    if (known !== undefined) {
      hub.sessions.rotate(known, resume)
      this.#rotated = true
    }
    session.attach(this, known && { resumed: true, principal, after: hello.after })
    if (hello.name !== undefined) hub.claim(session, hello.name)
    const waiting = this.#waiting
    this.#waiting = undefined
    for (const frame of waiting?.frames ?? []) this.#take(frame)
  }

  /** A mistake of the client: it is told, and nobody else notices. */
  #wrong(problem: Fault): void {
    this.#context.hub.counters.fault(problem.code)
    if (this.#closing) return
    if (this.#session === undefined) this.#write(new Update(ERROR, jsonMessage(problem)))
    else {
      this.#session.tell(ERROR, problem)
      this.#session.flush(this.#context.hub.wheel.now())
    }
  }

  /** There will be no session here. */
  #refuse(problem: Fault): void {
    this.#wrong(problem)
    this.#close(4000, problem.code)
  }

  #write(update: Update): void {
    this.#socket.write(this.#context.encoders.webSocket.encode([update]))
  }

  #close(code: number, reason: string): void {
    if (this.#closing) return
    this.#closing = true
    this.#socket.write(closeFrame(code, reason))
    this.#context.hub.wheel.after(CLOSING, () => this.#socket.destroy())
  }
}

/** Frames behind a hello that is not answered yet. */
interface Waiting {
  readonly frames: Frame[]
  size: number
}

const HELLO_LATE = fault(
  'HELLO_TIMEOUT',
  'nothing came within limits.header_time; begin with {"path":"::hello","message":{"version":1}}',
)
