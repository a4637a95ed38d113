/**
 * Writes a peer's answer to the caller.
 *
 *     state      head       data      ended           end of the turn
 *     none       gathered   -         -               -
 *     gathered   -          kept      written whole   written as far as it has come
 *     written    -          written   ended           sent
 *     over       -          -         -               -
 *
 * What one turn of the event loop brings is gathered: so a small answer leaves in one write, with its length, and of a long one
 * the parts of a turn do.
 * Invariant: a byte is told as taken once the caller's connection has room again; the body has the length that was said, or
 * the connection is broken off.
 */
import type { Fault } from '@sapwood/core'
import type { HttpRequest, HttpResponse } from '@sapwood/http'
import { coalesceWrites, WholeResponse } from '@sapwood/http'
import type { FieldList, ResponseHead } from '@sapwood/wire'
import { flushHead } from '../flush-head.ts'
import { gatherWrites } from '../gather-writes.ts'
import { answerFields, isBare, trailerPairs } from './answer-fields.ts'
import type { FrontContext, Gathered, Inquiry } from './front-context.ts'
import { ANSWER_INVALID } from './front-faults.ts'

/** Whose answer it is. */
export interface AnswerOwner {
  /** So many bytes of the answer have found their way. */
  took(bytes: number): void
  /** The answer cannot be written, or not on. */
  misfit(fault: Fault): void
  /** The caller does not take what was written; or does again. */
  stalled(isStalled: boolean): void
}

/** Up to so many bytes of a body are gathered. */
const GATHERED = 65_536
/** Up to so many are written in one piece with their head. */
const JOINED = 4_096

const WRITER: unique symbol = Symbol('writer')
type Response = HttpResponse & { [WRITER]?: AnswerWriter }

export class AnswerWriter implements Gathered {
  readonly #front: FrontContext
  readonly #request: HttpRequest
  readonly #response: Response
  readonly #inquiry: Inquiry
  readonly #owner: AnswerOwner
  #state: 'none' | 'gathered' | 'written' | 'over' = 'none'
  #head: ResponseHead | undefined = undefined
  /** Its first bytes, until they are written. */
  #parts: Uint8Array | Uint8Array[] | undefined = undefined
  #size = 0
  /** How many bytes it has, if that is said. */
  #length: number | undefined = undefined
  /** Written, while the caller's connection had no room. */
  #untaken = 0

  constructor(
    front: FrontContext,
    request: HttpRequest,
    response: HttpResponse,
    inquiry: Inquiry,
    owner: AnswerOwner,
  ) {
    this.#front = front
    this.#request = request
    this.#response = response
    this.#inquiry = inquiry
    this.#owner = owner
  }

  /** Has the answer begun to come? */
  get begun(): boolean {
    return this.#state !== 'none'
  }

  get waits(): boolean {
    return this.#state === 'gathered'
  }

  /** Passes an interim answer on, as far as Node can say it. */
  interim({ status, headers }: ResponseHead): void {
    if (this.begun || this.#request.httpVersionMinor === 0) return
    if (status === 102) this.#response.writeProcessing()
    if (status !== 103) return
    const hints: Record<string, string[]> = {}
    for (const [name, value] of trailerPairs(headers)) {
      hints[name] ??= []
      hints[name].push(value)
    }
    try {
      this.#response.writeEarlyHints(hints)
    } catch {
      // a hint that is none is no loss
    }
  }

  head(head: ResponseHead): void {
    if (this.begun) return
    this.#state = 'gathered'
    this.#head = head
    this.#front.gather(this)
  }

  data(part: Uint8Array): void {
    if (this.#state === 'written') return this.#write(part)
    if (this.#state !== 'gathered') return
    const parts = this.#parts
    if (parts === undefined) this.#parts = part
    else if (Array.isArray(parts)) parts.push(part)
    else this.#parts = [parts, part]
    this.#size += part.length
    if (this.#size >= GATHERED) this.#begin()
  }

  /** The body has ended. @returns false if the answer is broken, as the owner has been told. */
  ended(trailers: FieldList | undefined): boolean {
    if (this.#state === 'gathered' && trailers === undefined) return this.#writeWhole()
    if (this.#state === 'gathered') this.#begin()
    return this.#state === 'written' && this.#end(trailers)
  }

  /** The end of the turn: what came of the answer is written. */
  flush(): void {
    if (this.#state === 'gathered') this.#begin()
  }

  /** Nothing more is written. */
  stop(): void {
    this.#state = 'over'
    this.#parts = undefined
  }

  /** @internal of the listener: the caller's connection has room. */
  roomy(): void {
    const untaken = this.#untaken
    if (this.#state !== 'written' || untaken === 0) return
    this.#untaken = 0
    this.#owner.stalled(false)
    this.#owner.took(untaken)
  }

  get #isBare(): boolean {
    return isBare(this.#request.method, (this.#head as ResponseHead).status)
  }

  /** Writes an answer that is all here. */
  #writeWhole(): boolean {
    const isBare = this.#isBare
    if (!this.#writeHead(isBare ? undefined : this.#size)) return false
    const parts = this.#parts
    if (isBare || parts === undefined) this.#response.end()
    else {
      const body = Array.isArray(parts) ? Buffer.concat(parts, this.#size) : parts
      if (body.length <= JOINED) this.#endJoined(body)
      else this.#response.end(body)
    }
    if (this.#size > 0) this.#owner.took(this.#size)
    this.stop()
    return true
  }

  /** As text a body goes in one piece with its head, and with other answers of the turn to the same caller. */
  #endJoined(body: Uint8Array): void {
    const response = this.#response
    // to a request that came whole there is one answer in a turn
    if (!(response instanceof WholeResponse) && response.socket !== null) {
      coalesceWrites(response.socket)
    }
    response.end(latin1(body), 'latin1')
  }

  /** Writes head and first bytes, for an answer of which more may come. */
  #begin(): void {
    if (!this.#writeHead(undefined)) return
    this.#state = 'written'
    const parts = this.#parts
    this.#parts = undefined
    this.#size = 0
    if (parts === undefined) flushHead(this.#response)
    else if (Array.isArray(parts)) for (const part of parts) this.#write(part)
    else this.#write(parts)
  }

  /** @param whole bytes of the body, if all are here. */
  #writeHead(whole: number | undefined): boolean {
    const { status } = this.#head as ResponseHead
    const { isProxied, fields: asked } = this.#inquiry
    const { fields, length } = answerFields(this.#head as ResponseHead, isProxied)
    this.#length = length
    if (this.#front.isDraining) this.#response.shouldKeepAlive = false
    const isShort = whole !== undefined && length !== undefined && whole !== length
    if (status !== 101 && !isShort && !Number.isNaN(length)) {
      const bytes = length ?? whole
      if (bytes !== undefined) fields.push('content-length', String(bytes))
      if (asked.origin !== undefined && !isProxied) fields.push(...this.#front.cors(asked))
      try {
        this.#response.writeHead(status, fields)
        return true
      } catch {
        // Node refuses what is no header
      }
    }
    return this.#misfit()
  }

  #write(part: Uint8Array): void {
    if (this.#state !== 'written') return
    this.#size += part.length
    if (this.#isBare) return this.#owner.took(part.length)
    // what does not fit the length would be read as another answer
    if (this.#length !== undefined && this.#size > this.#length) return void this.#misfit()
    const response = this.#response
    gatherWrites(response)
    if (response.write(part) && this.#untaken === 0) return this.#owner.took(part.length)
    if (this.#untaken === 0) this.#owner.stalled(true)
    this.#untaken += part.length
    if (response[WRITER] !== undefined) return
    response[WRITER] = this
    response.on('drain', onDrain)
  }

  #end(trailers: FieldList | undefined): boolean {
    const isShort = this.#length !== undefined && this.#size < this.#length
    if (isShort && !this.#isBare) return this.#misfit()
    if (trailers !== undefined && this.#length === undefined) {
      try {
        this.#response.addTrailers(trailerPairs(trailers))
      } catch {
        // Node refuses what is no header
      }
    }
    this.#response.end()
    if (this.#untaken > 0) this.#owner.took(this.#untaken)
    this.stop()
    return true
  }

  #misfit(): false {
    this.stop()
    this.#owner.misfit(ANSWER_INVALID)
    return false
  }
}

function onDrain(this: Response): void {
  this[WRITER]?.roomy()
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
