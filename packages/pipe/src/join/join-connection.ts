/**
 * The connection of a join, at both ends: one message each way over TLS, and it ends (ALPN `sapwood-join/1`).
 * Invariant: one that says too much, too little or nothing is over within its time, and so many at a time are all.
 */
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { connect } from 'node:tls'
import type { Clock, Fault } from '@sapwood/core'
import { reasonOf, SapwoodError } from '@sapwood/core'
import { isPath, nodeClock, parseAddress } from '@sapwood/net'
import { FramingFault, InputBuffer, isFault } from '@sapwood/wire'
import { isForeignService } from '../peer/foreign-service.ts'
import type { Installed } from '../pki/install-identity.ts'
import type { JoinDesk } from './join-desk.ts'
import type { JOIN_LIMITS } from './join-messages.ts'
import {
  decodeJoinAnswer,
  encodeJoinAnswer,
  encodeJoinRequest,
  JOIN_PROTOCOL,
  joinFramer,
} from './join-messages.ts'
import type { JoinToken } from './join-token.ts'
import { beginJoining, finishJoining, joinServerFault } from './joining.ts'

/** Milliseconds that a join may take. */
const LONGEST = 10_000
/** Joins at a time: each signs a certificate. */
const MOST = 16

/**
 * Takes connections of those who want to join; a listener hands them over by ALPN.
 * @example
 * const joins = new JoinConnections(desk)
 * if (socket.alpnProtocol === JOIN_PROTOCOL) joins.take(socket)
 */
export class JoinConnections {
  readonly #desk: JoinDesk
  readonly #clock: Clock
  readonly #open = new Set<Duplex>()

  constructor(desk: JoinDesk, clock: Clock = nodeClock) {
    this.#desk = desk
    this.#clock = clock
  }

  take(socket: TLSSocket): void {
    const address = socket.remoteAddress ?? ''
    if (this.#open.size >= MOST) {
      refuse(socket)
      return
    }
    this.#open.add(socket)
    void this.#serve(socket, address).finally(() => this.#open.delete(socket))
  }

  close(): void {
    for (const socket of this.#open) socket.destroy()
  }

  async #serve(socket: TLSSocket, address: string): Promise<void> {
    const forget = this.#clock.after(LONGEST, () => socket.destroy())
    try {
      const message = await messageOf(socket, 'request')
      // what cannot be read is one more failure of that address
      const answer = await this.#desk.answer(message ?? new Uint8Array(0), address)
      socket.end(joinFramer('answer').encode(answer))
      await closed(socket)
    } catch {
      socket.destroy()
    } finally {
      forget()
    }
  }
}

export interface JoinOptions {
  /** Where the files go. */
  readonly dir: string
  /** Milliseconds that it may take: 10,000. */
  readonly limit?: number
  readonly clock?: Clock
}

/**
 * Joins by a token: makes a key, has it certified, and writes the files into `dir`.
 * @throws SapwoodError JOIN_UNREACHABLE, CERTIFICATE_FOREIGN and others of `Trust.checkPeer` for a server that is not the
 * one meant, JOIN_REFUSED, JOIN_ANSWER_INVALID, FILE_NOT_WRITTEN
 * @example await join(token, { dir: 'pki' })
 */
export async function join(token: JoinToken, options: JoinOptions): Promise<Installed> {
  const { dir, limit = LONGEST, clock = nodeClock } = options
  const joining = await beginJoining(token)
  const socket = dial(token)
  // whoever waits for it hears of it; behind the answer nobody does, and nothing is lost
  socket.on('error', () => undefined)
  const forget = clock.after(limit, () =>
    socket.destroy(new Error(`nothing came within ${limit} ms`)),
  )
  try {
    await reached(socket, token)
    const fault = joinServerFault(socket.getPeerX509Certificate(), token)
    if (fault !== undefined) throw new SapwoodError(fault.code, fault.detail)
    // only now, to a server that the pinned CA vouches for
    socket.write(joinFramer('request').encode(encodeJoinRequest(joining.request)))
    const message = await messageOf(socket, 'answer').catch((thrown) => {
      throw unreachable(token, thrown)
    })
    const answer = decodeJoinAnswer(message ?? encodeJoinAnswer(undefined))
    if (isFault(answer)) throw refusedBy(answer)
    return await finishJoining(dir, token, joining, answer)
  } finally {
    forget()
    socket.destroy()
  }
}

function dial({ server, serverName }: JoinToken): TLSSocket {
  const address = parseAddress(server)
  if (isPath(address)) throw new SapwoodError('ADDRESS_INVALID', `${server} is no HOST:PORT`)
  const { host, port } = address
  return connect({
    host,
    port,
    servername: serverName,
    ALPNProtocols: [JOIN_PROTOCOL],
    minVersion: 'TLSv1.3',
    // its certificate is held against the token by hand: there is no CA to name here yet
    rejectUnauthorized: false,
  })
}

async function reached(socket: TLSSocket, token: JoinToken): Promise<void> {
  try {
    await once(socket, 'secureConnect')
  } catch (thrown) {
    if (!isForeignService(thrown)) throw unreachable(token, thrown)
  }
  if (socket.alpnProtocol === JOIN_PROTOCOL) return
  const detail = `what listens at ${token.server} takes no invitations; is it sapwood pipe server, with the key of the CA?`
  throw new SapwoodError('JOIN_UNREACHABLE', detail)
}

/** The first message that comes; undefined where it ends before, or says what is none. */
async function messageOf(
  socket: Duplex,
  of: keyof typeof JOIN_LIMITS,
): Promise<Uint8Array | undefined> {
  const framer = joinFramer(of)
  const input = new InputBuffer()
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    input.push(chunk)
    const message = framer.decode(input)
    if (message instanceof FramingFault) return undefined
    if (message !== undefined) return message
  }
  return undefined
}

function refuse(socket: TLSSocket): void {
  socket.on('error', () => undefined)
  socket.end(joinFramer('answer').encode(encodeJoinAnswer(undefined)))
  socket.setTimeout(LONGEST, () => socket.destroy())
}

async function closed(socket: Duplex): Promise<void> {
  if (socket.closed) return
  // what is left to say after the request is nobody's
  socket.resume()
  await once(socket, 'close')
}

function refusedBy({ code, detail }: Fault): SapwoodError {
  return new SapwoodError(code, detail)
}

function unreachable({ server }: JoinToken, thrown: unknown): SapwoodError {
  const detail = `cannot talk to ${server}: ${reasonOf(thrown)}; is the server running, and the address right?`
  return new SapwoodError('JOIN_UNREACHABLE', detail, { cause: thrown })
}
