/**
 * How long a frame may be, and what becomes of one that is longer. Every framer whose frames can grow has one.
 * Invariant: the fault of a limit is made once, not for each frame.
 */
import { SapwoodError } from '@sapwood/core'
import { FramingFault } from './framer.ts'

/**
 * What becomes of a frame over the limit. `close`: a final fault, nothing can be read any more. `error`: a fault in
 * its place, then the frames behind it. `skip`: as `error`, but the fault is quiet: counted, not told.
 */
export type TooLong = 'close' | 'error' | 'skip'

export interface FrameLimitOptions {
  /** The longest frame, in bytes of its content; 0 admits empty ones only. */
  readonly limit: number
  /** What becomes of a longer one: `close` by default. */
  readonly tooLong?: TooLong
}

const CODES = { frame: 'FRAME_TOO_LONG', line: 'LINE_TOO_LONG' } as const
type Unit = keyof typeof CODES

export class FrameLimit {
  /** The longest frame, in bytes. */
  readonly bytes: number
  /** What is said of a longer one that came in, once for each. */
  readonly fault: FramingFault
  readonly #unit: Unit

  /** @param most what the framing itself can carry, if that is less. */
  constructor(options: FrameLimitOptions, most: number = Infinity, unit: Unit = 'frame') {
    const { limit, tooLong = 'close' } = options
    checkOption(Number.isSafeInteger(limit) && limit >= 0, 'limit is a number of bytes')
    this.bytes = Math.min(limit, most)
    this.#unit = unit
    this.fault = new FramingFault(
      CODES[unit],
      `a ${unit} has more than ${this.bytes} bytes; send shorter ${unit}s or raise the limit`,
      tooLong === 'close',
      tooLong === 'skip',
    )
  }

  /** @throws SapwoodError `FRAME_TOO_LONG` or `LINE_TOO_LONG` for a frame that must not be sent. */
  check(frame: Uint8Array): void {
    if (frame.length <= this.bytes) return
    const unit = this.#unit
    throw new SapwoodError(CODES[unit], `a ${unit} may have ${this.bytes} bytes; send less at once`)
  }
}

/** @throws SapwoodError `FRAMER_INVALID` if an option of a framer does not hold. */
export function checkOption(isGood: boolean, rule: string): void {
  if (!isGood) throw new SapwoodError('FRAMER_INVALID', `${rule}; correct the framer's options`)
}
