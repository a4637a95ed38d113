/**
 * Frames as most are, `{"path":"orders/42","message":…}` with nothing else in them: checked, and cut, without building
 * what they say. `parseFrames` takes all others.
 * Invariant: what is read here, `parseFrames` reads the same.
 */
import type { Fault } from '@sapwood/core'
import { message } from '@sapwood/core'
import type { Frame, FrameLimits } from './frame.ts'
import { FRAME_LIMITS, ParsedFrame, parseFrames } from './frame.ts'
import { jsonEnd, skipSpace, stringEnd } from './json-end.ts'
import { singleLine } from './json-member.ts'

const QUOTE = 34
const COMMA = 44
const COLON = 58
const CLOSE_OBJECT = 125

/**
 * Reads a text frame with one object or an array of them, as `parseFrames` does, and for less.
 * @example readFrames('{"path":"a","message":1}') // one frame
 */
export function readFrames(
  text: string,
  limits: FrameLimits = FRAME_LIMITS,
): readonly Frame[] | Fault {
  const plain = plainFrame(text)
  return plain === undefined ? parseFrames(text, limits) : [plain]
}

/** Reads a frame that says path and message, in this order and without escapes in the path; undefined for any other text. */
function plainFrame(text: string): Frame | undefined {
  if (!text.startsWith('{"path"')) return undefined
  const quote = behind(text, 7, COLON)
  if (quote < 0 || text.charCodeAt(quote) !== QUOTE) return undefined
  const pathEnd = stringEnd(text, quote + 1)
  if (pathEnd < 0) return undefined
  const path = text.slice(quote + 1, pathEnd - 1)
  if (path.includes('\\')) return undefined
  const key = behind(text, pathEnd, COMMA)
  if (key < 0 || !text.startsWith('"message"', key)) return undefined
  const start = behind(text, key + 9, COLON)
  if (start < 0) return undefined
  const end = jsonEnd(text, start)
  if (end < 0) return undefined
  const close = behind(text, end, CLOSE_OBJECT)
  if (close !== text.length) return undefined
  const body = singleLine(text.slice(start, end))
  return new ParsedFrame(path, message(body), undefined, undefined, undefined)
}

/** The place behind this character and the white space around it; -1 if it is not there. */
function behind(text: string, at: number, character: number): number {
  const found = skipSpace(text, at)
  return text.charCodeAt(found) === character ? skipSpace(text, found + 1) : -1
}
