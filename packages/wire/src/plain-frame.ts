/**
 * Frames as most are, `{"path":"orders/42","message":…}` with nothing else in them: checked, and cut, without building
 * what they say. `parseFrames` takes all others.
 * Invariant: what is read here, `parseFrames` reads the same.
 */
import type { Fault } from '@sapwood/core'
import { message } from '@sapwood/core'
import { cut } from './cut.ts'
import type { Frame, FrameLimits } from './frame.ts'
import { FRAME_LIMITS, ParsedFrame, parseFrames } from './frame.ts'
import { jsonEnd, skipSpace } from './json-end.ts'
import { singleLine } from './json-member.ts'

const CLOSE_OBJECT = 125

/** All in front of the message, with the white space that JSON allows, and the path without escapes. */
const HEAD =
  /\{[ \t\n\r]*"path"[ \t\n\r]*:[ \t\n\r]*"([ !#-[\]-\uffff]*)"[ \t\n\r]*,[ \t\n\r]*"message"[ \t\n\r]*:[ \t\n\r]*/y

/** What bodies are cut from: bytes that hold the same characters as a text at the same places. */
export interface Cuttable {
  slice(start: number, end: number): string
}

/**
 * Reads a text frame with one object or an array of them, as `parseFrames` does, and for less.
 * @example readFrames('{"path":"a","message":1}') // one frame
 */
export function readFrames(
  text: string,
  limits: FrameLimits = FRAME_LIMITS,
): readonly Frame[] | Fault {
  const plain = plainFrame(text, 0, text.length)
  return plain === undefined ? parseFrames(text, limits) : [plain]
}

/**
 * Reads the frame that stands from `start` to `end` in a longer text.
 * @param source what is kept of it is cut from this: a piece of a string would keep all of that string.
 */
export function readFramesAt(
  text: string,
  start: number,
  end: number,
  source: Cuttable,
): readonly Frame[] | Fault {
  const plain = plainFrame(text, start, end, source)
  return plain === undefined ? parseFrames(source.slice(start, end)) : [plain]
}

/** Reads a frame that says path and message, in this order and without escapes in the path; undefined for any other text. */
function plainFrame(
  text: string,
  start: number,
  end: number,
  source?: Cuttable,
): Frame | undefined {
  HEAD.lastIndex = start
  const path = HEAD.exec(text)?.[1]
  if (path === undefined) return undefined
  const bodyStart = HEAD.lastIndex
  const bodyEnd = jsonEnd(text, bodyStart)
  if (bodyEnd < 0) return undefined
  const close = skipSpace(text, bodyEnd)
  // what stands behind the end may well go on like this frame, and is none of it
  if (close >= end || text.charCodeAt(close) !== CLOSE_OBJECT) return undefined
  if (skipSpace(text, close + 1) < end) return undefined
  const body = source?.slice(bodyStart, bodyEnd) ?? cut(text, bodyStart, bodyEnd)
  return new ParsedFrame(path, message(singleLine(body)), undefined, undefined, undefined)
}
