/**
 * A session over a WebSocket. `ws` does the handshake and the reading; what goes out is framed once per update and
 * written straight to the socket.
 *
 *     state     hello             any other frame          close
 *     silent    greeting          hello is taken as said   -
 *     greeting  waits its turn    waits its turn           -
 *     open      HELLO_TWICE       taken                    detached
 *
 * Invariant: no frame is taken before the hello is answered, and frames are taken in their order.
 */
import type { Duplex } from 'node:stream'
import type { Fault, Principal } from '@sapwood/core'
import { bodyValue, jsonMessage, Update } from '@sapwood/core'
import type { AttachOptions, Downstream, Farewell, Session } from '@sapwood/hub'
import { ERROR, HELLO, SOCKET_LIMIT, VERSION } from '@sapwood/hub'
import type { Frame } from '@sapwood/wire'
import { isFault, parseFrames } from '@sapwood/wire'
import type { WebSocket } from 'ws'
import type { HttpContext } from './call.ts'
import { bye, CLOSE_CODES } from './farewell.ts'
import { fault } from './problem.ts'

/** Frames that may wait for a hello to be answered. */
const WAITING = 1024

export class WebSocketDownstream implements Downstream {
  readonly kind = 'ws'
  readonly greets = true
  readonly pings = true
  readonly #context: HttpContext
  readonly #webSocket: WebSocket
  readonly #socket: Duplex
  readonly #principal: Principal
  readonly #address: string
  #session: Session | undefined
  #waiting: Frame[] | undefined
  #rotated = false
  /** What had been sent when the last ping left: its pong confirms that. */
  #pinged = 0

  constructor(
    context: HttpContext,
    webSocket: WebSocket,
    socket: Duplex,
    principal: Principal,
    address: string,
  ) {
    this.#context = context
    this.#webSocket = webSocket
    this.#socket = socket
    this.#principal = principal
    this.#address = address
  }

  get room(): number {
    return SOCKET_LIMIT - this.#socket.writableLength
  }

  send(updates: readonly Update[]): void {
    this.#socket.write(this.#context.encoders.webSocket.encode(updates))
  }

  probe(): boolean {
    this.#pinged = this.#session?.sent ?? 0
    this.#webSocket.ping()
    return true
  }

  close(farewell: Farewell): readonly Update[] {
    if (farewell.reason === 'dead') this.#webSocket.terminate()
    else {
      this.#write(bye(farewell, this.#session?.watermark ?? ''))
      this.#webSocket.close(CLOSE_CODES[farewell.reason], farewell.reason)
    }
    return []
  }

  /** A message came in. */
  received(data: Buffer, isBinary: boolean): void {
    if (isBinary) {
      this.#wrong(fault('FRAME_BINARY', 'frames are JSON text; send bytes as base64 in one'))
      this.#webSocket.close(1003, 'FRAME_BINARY')
      return
    }
    const frames = parseFrames(data.toString())
    if (isFault(frames)) return this.#wrong(frames)
    for (const frame of frames) this.#take(frame)
  }

  ponged(): void {
    this.#session?.seen()
    this.#session?.confirm(this.#pinged)
  }

  drained(): void {
    this.#session?.drained()
  }

  /** @param code 1000, 1001 and 1005 are good-byes; 4000 to 4099 end the session at once. */
  closed(code: number): void {
    const session = this.#session
    if (session === undefined) return
    if (code >= 4000 && code < 4100 && session.downstream === this) session.end()
    else session.detach(this, code === 1000 || code === 1001 || code === 1005)
  }

  #take(frame: Frame): void {
    const session = this.#session
    if (session !== undefined) {
      if (this.#rotated) {
        this.#rotated = false
        this.#context.hub.sessions.forgetFormer(session)
      }
      session.seen()
      this.#context.hub.receive(session, frame.path, frame.message)
    } else if (this.#waiting !== undefined) {
      if (this.#waiting.length < WAITING) this.#waiting.push(frame)
      else this.#webSocket.close(1008, 'LIMIT_WAITING')
    } else if (frame.path === HELLO) this.#greet(readHello(bodyValue(frame.message)))
    else {
      this.#greet({})
      this.#take(frame)
    }
  }

  #greet(hello: Hello | Fault): void {
    if ('code' in hello) {
      this.#wrong(hello)
      this.#webSocket.close(4000, hello.code)
      return
    }
    this.#waiting = []
    if (hello.token === undefined) this.#open(hello, this.#principal)
    else {
      this.#context.trust.login(hello.token, {
        identified: (problem, principal) => {
          if (problem === undefined) this.#open(hello, principal)
          else {
            this.#wrong(problem)
            this.#webSocket.close(4000, problem.code)
          }
        },
      })
    }
  }

  #open(hello: Hello, principal: Principal): void {
    const { hub } = this.#context
    const known = hello.resume === undefined ? undefined : hub.sessions.find(hello.resume)
    const full = known === undefined ? hub.sessions.full(this.#address) : undefined
    if (full !== undefined || hub.draining) {
      hub.counters.fault(full?.code ?? 'DRAINING')
      this.close({
        reason: full ? 'full' : 'drain',
        retryAfter: 1000 + Math.floor(Math.random() * 4000),
      })
      return
    }
    const session = known ?? hub.open({ principal, address: this.#address })
    this.#session = session
    if (known !== undefined) {
      hub.sessions.rotate(known)
      this.#rotated = true
    }
    session.attach(this, attachment(hello, principal, known !== undefined))
    if (hello.name !== undefined) this.#claim(session, hello.name)
    const waiting = this.#waiting ?? []
    this.#waiting = undefined
    for (const frame of waiting) this.#take(frame)
  }

  #claim(session: Session, name: string): void {
    const { hub } = this.#context
    const refused = hub.mayAnswer(session.principal, name)
      ? hub.directory.claim(session, name)
      : fault(
          'NOT_ALLOWED',
          `${session.principal.id} may not answer as "${name.slice(0, 128)}"`,
          403,
        )
    if (refused === undefined) return
    hub.counters.fault(refused.code)
    session.tell(ERROR, { ...refused, name })
  }

  /** A mistake of the client: it is told, and nobody else notices. */
  #wrong(problem: Fault): void {
    this.#context.hub.counters.fault(problem.code)
    if (this.#session !== undefined) this.#session.tell(ERROR, problem)
    else this.#write(new Update(ERROR, jsonMessage(problem)))
  }

  #write(update: Update): void {
    this.#socket.write(this.#context.encoders.webSocket.encode([update]))
  }
}

/** What a client says first. */
interface Hello {
  readonly token?: string
  readonly name?: string
  readonly resume?: string
  readonly after?: string
}

function readHello(value: unknown): Hello | Fault {
  if (typeof value !== 'object' || value === null) return HELLO_WRONG
  const hello = value as Record<string, unknown>
  if (hello.version !== undefined && hello.version !== VERSION) {
    const detail = `this hub speaks version ${VERSION}; load its own /sapwood.js`
    return { code: 'VERSION_UNSUPPORTED', detail }
  }
  for (const name of ['token', 'name', 'resume', 'after']) {
    if (hello[name] !== undefined && typeof hello[name] !== 'string') return HELLO_WRONG
  }
  return hello as Hello
}

const HELLO_WRONG: Fault = {
  code: 'HELLO_INVALID',
  detail: 'a hello is {"version":1} with, where wanted, token, name, resume and after as strings',
}

function attachment(hello: Hello, principal: Principal, resumed: boolean): AttachOptions {
  if (!resumed) return {}
  return { resumed, principal, ...(hello.after !== undefined && { after: hello.after }) }
}
