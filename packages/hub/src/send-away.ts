/**
 * How the clients of a hub that is about to end are sent away: each with a time to come back at, so that they do not
 * come all at once. Who was asked something may answer first; who is away will not find this hub again, and what it
 * was asked fails.
 */
import type { Wheel } from '@sapwood/core'
import type { Session } from './session.ts'

/** How often it is looked whether clients have answered what they were asked, in milliseconds. */
const LOOK = 50

/** @param spread within how many milliseconds they may come back. */
export function sendAway(sessions: Iterable<Session>, spread: number, wheel: Wheel): void {
  const asked = [...sessions].filter(({ openQuestions }) => openQuestions > 0)
  for (const session of asked) if (!session.attached) session.end()
  for (const session of sessions) {
    if (session.openQuestions > 0) continue
    session.dismiss({ reason: 'drain', retryAfter: Math.floor(Math.random() * spread) })
  }
  if (asked.length > 0) wheel.after(LOOK, () => sendAway(sessions, spread, wheel))
}
