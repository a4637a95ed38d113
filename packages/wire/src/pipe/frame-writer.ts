/**
 * Writes numbered frames: heads straight into the memory that goes out, without a copy between.
 * Invariant: what is written is whole and within the limits of its type, or nothing is written at all.
 */
import { SapwoodError } from '@sapwood/core'
import {
  fieldsLength,
  fieldsMost,
  requestMost,
  responseMost,
  writeRequest,
  writeResponse,
  writeTrailers,
} from './head-writer.ts'
import { END_FLAG, FRAME_HEAD, FrameType, PAYLOAD_LIMIT, writeWide } from './pipe-frame.ts'
import type { SentLog } from './sent-log.ts'
import type { ResetMessage } from './session-messages.ts'
import { writeReset } from './session-messages.ts'
import type { FieldList, RequestHead, ResponseHead } from './stream-head.ts'

const WORD = 8

export class FrameWriter {
  readonly #log: SentLog

  constructor(log: SentLog) {
    this.#log = log
  }

  /** @throws SapwoodError `HEAD_TOO_LONG` */
  request(stream: number, head: RequestHead, ends: boolean): void {
    const log = this.#log
    log.reserve(checked(requestMost(head)))
    const end = writeRequest(log.slab, log.at + FRAME_HEAD, head)
    this.#commit(FrameType.headers, stream, end, ends)
  }

  /** @throws SapwoodError `HEAD_TOO_LONG` */
  response(stream: number, head: ResponseHead, ends: boolean): void {
    const log = this.#log
    log.reserve(checked(responseMost(head)))
    const end = writeResponse(log.slab, log.at + FRAME_HEAD, head)
    this.#commit(FrameType.headers, stream, end, ends)
  }

  /** @param fields that `checkTrailers` let pass. */
  trailers(stream: number, fields: FieldList): void {
    const log = this.#log
    log.reserve(fieldsMost(fields))
    const end = writeTrailers(log.slab, log.at + FRAME_HEAD, fields)
    this.#commit(FrameType.trailers, stream, end, true)
  }

  /** @param bytes up to `PAYLOAD_LIMIT`; long ones are not copied. */
  data(stream: number, bytes: Uint8Array, ends: boolean): void {
    this.#log.add(ends ? FrameType.data | END_FLAG : FrameType.data, stream, bytes)
  }

  /** @param stream 0 for the session. */
  credit(stream: number, offset: number): void {
    const log = this.#log
    log.reserve(WORD)
    const at = log.at + FRAME_HEAD
    writeWide(log.slab, at, offset)
    log.commit(FrameType.credit, stream, at + WORD)
  }

  reset(stream: number, message: ResetMessage): void {
    this.#log.add(FrameType.reset, stream, writeReset(message))
  }

  update(bytes: Uint8Array): void {
    let at = 0
    for (; bytes.length - at > PAYLOAD_LIMIT; at += PAYLOAD_LIMIT) {
      this.#log.add(FrameType.update, 0, bytes.subarray(at, at + PAYLOAD_LIMIT))
    }
    this.#log.add(FrameType.update | END_FLAG, 0, bytes.subarray(at))
  }

  #commit(type: number, stream: number, end: number, ends: boolean): void {
    if (end - this.#log.at - FRAME_HEAD > PAYLOAD_LIMIT) throw tooLong()
    this.#log.commit(ends ? type | END_FLAG : type, stream, end)
  }
}

/** Trailers are written when the body has left, too late to tell the caller. @throws SapwoodError `HEAD_TOO_LONG` */
export function checkTrailers(fields: FieldList): void {
  if (fieldsMost(fields) > PAYLOAD_LIMIT && fieldsLength(fields) > PAYLOAD_LIMIT) throw tooLong()
}

/** Before anything is written: could this many bytes be too many? */
function checked(most: number): number {
  if (most > PAYLOAD_LIMIT * 4) throw tooLong()
  return most
}

function tooLong(): SapwoodError {
  return new SapwoodError(
    'HEAD_TOO_LONG',
    `a head or trailers have more than ${PAYLOAD_LIMIT} bytes; send what is long in the body`,
    { status: 431 },
  )
}
