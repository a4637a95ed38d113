/**
 * One peer's session at the hub, as long as its session of the pipe lasts. Links that break are no concern of it: what was said
 * waits, and arrives once. When the session of the pipe ends, that of the hub waits to be resumed by the next one.
 *
 *     state   hello           another frame             bye        the hub lets go    the pipe's session ends
 *     new     open, or left   hello is taken as said    -          -                  -
 *     open    open anew       taken                     ended      left, told so      detached
 *     left    open, or left   dropped                   -          -                  -
 *
 * Invariant: at most one session of the hub belongs to one of the pipe; frames are taken in their order, and what was said
 * to a link before its end is not taken for the next one's.
 */
import { isUtf8 } from 'node:buffer'
import type { CarriedSession, Farewell, Fault, Principal } from '@sapwood/core'
import { jsonMessage, SOCKET_LIMIT, Update } from '@sapwood/core'
import type { Hello } from '@sapwood/http'
import { readHello } from '@sapwood/http'
import { sourceOf } from '@sapwood/net'
import type { Frame } from '@sapwood/wire'
import { isFault, readFrames } from '@sapwood/wire'
import { SHUTDOWN } from '../peer/peer-faults.ts'
import type { DownstreamOwner } from './pipe-downstream.ts'
import { PipeDownstream } from './pipe-downstream.ts'
import type { UpdateEncoder } from './update-encoder.ts'
import type { Arrival, UpdatedPeer, UpdateHost } from './update-host.ts'
import type { LastWord } from './update-words.ts'
import { BYE, byeUpdate, ERROR, GAP, HELLO } from './update-words.ts'

/** Bytes that a frame may have beyond the body of its update. */
const OVERHEAD = 64 * 1024
/** Words outside of a session that a peer is told which does not read. */
const UNREAD = 64

export class UpdatePeer<Session extends CarriedSession> implements DownstreamOwner {
  readonly #host: UpdateHost<Session>
  readonly #encoder: UpdateEncoder
  readonly #peer: UpdatedPeer
  #state: 'new' | 'open' | 'left' = 'new'
  #session: Session | undefined
  #downstream: PipeDownstream | undefined
  #principal: Principal
  /** The client came with a secret that works until it has used this link. */
  #isResumed = false
  #isFull = false
  /** Words outside of a session since the pipe is full. */
  #unread = 0

  constructor(host: UpdateHost<Session>, encoder: UpdateEncoder, peer: UpdatedPeer) {
    this.#host = host
    this.#encoder = encoder
    this.#peer = peer
    this.#principal = peer.principal
  }

  get linked(): boolean {
    return this.#peer.linked
  }

  get room(): number {
    return this.#isFull ? 0 : SOCKET_LIMIT
  }

  /** An update of the pipe came: the text of one frame. */
  take(bytes: Uint8Array): void {
    this.identify()
    if (bytes.length > this.#host.body + OVERHEAD) return this.#refuse(TOO_LARGE, 0)
    const frames = isUtf8(bytes) ? readFrames(textOf(bytes)) : NOT_UTF8
    if (isFault(frames)) return this.#wrong(frames)
    for (const frame of frames) this.#take(frame)
  }

  /** The certificate may be another than before. */
  identify(): void {
    const { principal } = this.#peer
    if (principal === this.#principal) return
    this.#principal = principal
    if (this.#session !== undefined) this.#host.promote(this.#session, principal)
  }

  /** The pipe takes more. */
  writable(): void {
    this.#isFull = false
    this.#unread = 0
    this.#session?.drained()
  }

  /** The pipe's session is over. */
  ended({ code }: Fault): void {
    // who shuts down in good order will not answer what it was asked
    this.#leave(code === SHUTDOWN.code)
  }

  send(updates: readonly Update[], before: string): void {
    for (const update of updates) this.#send(update, before)
  }

  dismissed(farewell: Farewell): void {
    this.#session = this.#downstream = undefined
    this.#state = 'left'
    this.#say(byeUpdate(farewell))
  }

  #take(frame: Frame): void {
    const { path, message } = frame
    if (path === HELLO) return this.#greet(readHello(message))
    if (this.#state === 'new') this.#greet({})
    const session = this.#session
    // nobody's: it was said to a link that is over
    if (session === undefined) return
    if (this.#isResumed) {
      this.#isResumed = false
      this.#host.settled(session)
    }
    session.seen()
    if (path === BYE) this.#end(session)
    else this.#host.receive(session, path, message)
  }

  #greet(hello: Hello | Fault): void {
    if ('code' in hello) return this.#refuse(hello)
    const { resume, after, name } = hello
    const host = this.#host
    const principal = this.#principal
    const known = resume === undefined ? undefined : host.find(resume, principal)
    const former = this.#session
    this.#downstream?.silence()
    // who does not go on with it will not come back to it
    if (former !== undefined && former !== known) this.#end(former)
    const { remote } = this.#peer
    const address = remote === undefined ? '' : sourceOf(remote)
    const refusal = known === undefined ? host.refusal(address) : undefined
    if (refusal !== undefined) return this.dismissed(refusal)
    const downstream = new PipeDownstream(this)
    const arrival: Arrival = { principal, address, downstream }
    this.#state = 'open'
    const session = known ?? host.open(arrival)
    if (known !== undefined) host.resume(known, resume as string, after, arrival)
    // what it had kept may have been too much at once
    if (session.ended) return
    downstream.session = session
    this.#downstream = downstream
    this.#session = session
    this.#isResumed = known !== undefined
    if (name !== undefined) host.claim(session, name)
  }

  /** Where there is no session, nor its bounds. */
  #say(update: Update): void {
    if (!this.#isFull || this.#unread++ < UNREAD) this.#send(update, '')
  }

  #send(update: Update, before: string): void {
    const { session } = this.#peer
    // it is detached in a moment, and has lost nothing: what was not confirmed is replayed
    if (session.over) return
    const bytes = this.#encoder.encode(update)
    if (bytes.length > session.longestUpdate) return this.#skip(update, before)
    if (!session.update(bytes)) this.#isFull = true
  }

  /** No update of the pipe is that long: whoever waits for this one is told. */
  #skip(update: Update, after: string): void {
    const { path, at, offset, meta } = update
    this.#host.fault(TOO_LONG.code)
    if (offset > 0) {
      const gap = { patterns: [path], after, at, reason: 'too-long' }
      this.#send(new Update(GAP, jsonMessage(gap), 0, at), after)
    } else if (meta.reply !== undefined) {
      this.#send(new Update(ERROR, jsonMessage({ ...TOO_LONG, reply: meta.reply }), 0, at), after)
    }
  }

  /** A mistake of the client: it is told, and nobody else notices. */
  #wrong(problem: Fault): void {
    this.#host.fault(problem.code)
    if (this.#session !== undefined) this.#session.tell(ERROR, problem)
    else this.#say(new Update(ERROR, jsonMessage(problem)))
  }

  /** No frame of this link is taken any more. @param retryAfter without it no other makes sense. */
  #refuse({ code, detail }: Fault, retryAfter?: number): void {
    this.#host.fault(code)
    this.#leave(false)
    const last: LastWord = { reason: code, detail, ...(retryAfter !== undefined && { retryAfter }) }
    this.#say(byeUpdate(last))
  }

  #leave(isClean: boolean): void {
    const downstream = this.#downstream
    downstream?.silence()
    if (downstream !== undefined) this.#session?.detach(downstream, isClean)
    this.#session = this.#downstream = undefined
    this.#state = 'left'
  }

  #end(session: CarriedSession): void {
    this.#downstream?.silence()
    this.#session = this.#downstream = undefined
    this.#state = 'left'
    session.end()
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
}

const NOT_UTF8: Fault = { code: 'FRAME_INVALID', detail: 'an update of the pipe is text in UTF-8' }
const TOO_LARGE: Fault = {
  code: 'MESSAGE_TOO_LARGE',
  detail: 'the frame is longer than limits.body allows; send less at once, or raise it at the hub',
}
const TOO_LONG: Fault = {
  code: 'UPDATE_TOO_LONG',
  detail: 'this has more bytes than one update of the pipe; fetch it in another way',
}
