/** The wait of a drain. */
import type { Wheel } from '@sapwood/core'

/** Milliseconds between two looks: streams end too often to tell of each. */
const LOOK = 20

/**
 * Resolves when all that is open has ended, or the limit is reached.
 * @param limit milliseconds.
 */
export async function untilIdle(wheel: Wheel, limit: number, isIdle: () => boolean): Promise<void> {
  const until = wheel.now() + limit
  while (!isIdle() && wheel.now() < until && !wheel.closed) {
    await new Promise<void>((resolve) => wheel.after(LOOK, resolve))
  }
}
