/** What may be wrong with what somebody wants to follow, or to have somebody else follow, by HTTP. */
import type { Fault, PathLimits } from '@sapwood/core'
import { patternFault } from '@sapwood/core'
import { fault } from './problem.ts'

/** Why `pattern` cannot be followed, or undefined if it can: `id->pattern` is for control updates. */
export function patternProblem(pattern: string, limits: PathLimits): Fault | undefined {
  const reason =
    patternFault(pattern, limits) ?? (pattern.includes('->') ? 'has "->" in it' : undefined)
  if (reason === undefined) return undefined
  return fault('PATTERN_INVALID', `the pattern "${pattern.slice(0, 64)}" ${reason}`)
}

/** @param most patterns that one client may hold. */
export function tooManyPatterns(most: number): Fault {
  return fault('LIMIT_PATTERNS', `a client may hold ${most} patterns; see limits.patterns`)
}

/** What a position looks like is for nobody to know; that this is none, is. */
export const NO_POSITION: Fault = fault(
  'POSITION_INVALID',
  'this is no position; send one that the hub told',
)
