/** The time of this process, for a `Wheel` that nobody handed in. */
import type { Clock } from '@sapwood/core'

export const nodeClock: Clock = {
  now: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
}
