/**
 * Positions as clients see them: `<epoch>-<offset>`, opaque. A position is a watermark: all that a session is
 * owed up to it was sent. While a pattern that joined later is still being replayed there are two: what joined
 * is sent up to `offset`, all else up to `ahead`; that is written `<epoch>-<offset>.<ahead>`.
 */

export interface Position {
  readonly epoch: string
  readonly offset: number
  /** Where the patterns stand that are not being replayed. */
  readonly ahead: number | undefined
}

const FORM = /^([0-9a-f]{16})-([0-9]{1,15})(?:\.([0-9]{1,15}))?$/

export function formatPosition(epoch: string, offset: number, ahead?: number): string {
  return ahead === undefined ? `${epoch}-${offset}` : `${epoch}-${offset}.${ahead}`
}

/** The parts of a position, or undefined for what no hub can have said. */
export function parsePosition(text: string): Position | undefined {
  const match = FORM.exec(text)
  if (match === null) return undefined
  return {
    epoch: match[1] as string,
    offset: Number(match[2]),
    ahead: match[3] === undefined ? undefined : Number(match[3]),
  }
}
