/**
 * An answer that streams, read to its end for who gets it in one frame: a client that asks over its session.
 * Invariant: `done` is called once, with an answer that is no stream; about `limit` bytes are held at most.
 */
import { finished, type Readable } from 'node:stream'
import type { Message } from '@sapwood/core'
import { Code, message, outcome, TEXT_TYPE } from '@sapwood/core'
import { exceptionReply, isFault } from '@sapwood/wire'
import { readBody } from './body.ts'
import { sayable } from './sayable.ts'

export interface WholeOptions {
  /** Bytes that it may have. */
  readonly limit: number
  /** Whether the stack of what breaks it may be shown to the asker. */
  readonly traced: boolean
}

/** Reads `stream`, the body of `answer`. Destroy it to give up. */
export function readWhole(
  stream: Readable,
  { type, meta }: Message,
  { limit, traced }: WholeOptions,
  done: (whole: Message) => void,
): void {
  const parts: Buffer[] = []
  let size = 0
  stream.on('data', (chunk: Buffer | string) => {
    const part = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    size += part.length
    if (size <= limit) parts.push(part)
    else stream.destroy()
  })
  finished(stream, (thrown) => {
    if (size > limit) done(tooLong(limit))
    else if (thrown) done(exceptionReply(sayable(thrown), traced))
    else done(wholeOf(Buffer.concat(parts), type, meta))
  })
}

function tooLong(limit: number): Message {
  const detail = `the answer has more than ${limit} bytes; ask for it over HTTP, as a stream`
  return outcome(Code.threw, 502, 'ANSWER_TOO_LONG', detail)
}

function wholeOf(body: Buffer, type: string, meta: Message['meta']): Message {
  const read = readBody(body, body.length === 0 ? TEXT_TYPE : type)
  if (!isFault(read)) return message(read.body, read.type, meta)
  const detail = `the answer is typed JSON and is none: ${read.detail}`
  return outcome(Code.threw, 502, 'ANSWER_INVALID', detail)
}
