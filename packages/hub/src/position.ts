/**
 * Positions as clients see them: `<epoch>-<offset>`, opaque. A position is a watermark: all that a session is
 * owed up to it was sent. Where a session was at one offset twice, before and after something joined behind it or
 * was told as lost, the later one says so: `<epoch>-<offset>.<step>`. To anybody but that session the step means nothing.
 */

export interface Position {
  readonly epoch: string
  readonly offset: number
  /** The last step of its session that belongs to it, where that is not plain from the offset. */
  readonly step: number | undefined
}

const FORM = /^([0-9a-f]{16})-([0-9]{1,15})(?:\.([0-9]{1,15}))?$/

export function formatPosition(epoch: string, offset: number, step?: number): string {
  return step === undefined ? `${epoch}-${offset}` : `${epoch}-${offset}.${step}`
}

/** The parts of a position, or undefined for what no hub can have said. */
export function parsePosition(text: string): Position | undefined {
  const match = FORM.exec(text)
  if (match === null) return undefined
  return {
    epoch: match[1] as string,
    offset: Number(match[2]),
    step: match[3] === undefined ? undefined : Number(match[3]),
  }
}
