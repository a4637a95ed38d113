/**
 * How faults are counted by code.
 * Invariant: whoever makes codes up, as a peer may, makes no more than `MOST` of them: those beyond share one name.
 */

/** There are about 250 codes of ours. */
const MOST = 1_024

/** What those beyond are counted as: no code looks like that. */
const OTHERS = 'others'

/** @param faults how many there were, by code. */
export function countFault(faults: Map<string, number>, code: string): void {
  const isKept = faults.has(code) || faults.size < MOST
  const known = isKept ? code : OTHERS
  faults.set(known, (faults.get(known) ?? 0) + 1)
}
