/** The wait of a drain. */
import type { Wheel } from '@sapwood/core'

/** Milliseconds between two looks: streams end too often to tell of each. */
const LOOK = 20

/**
 * Resolves when all that is open has ended, the limit is reached, or the wheel is closed.
 * @param limit milliseconds.
 */
export async function untilIdle(wheel: Wheel, limit: number, isIdle: () => boolean): Promise<void> {
  const until = wheel.now() + limit
  while (!isIdle() && wheel.now() < until && !wheel.closed) {
    await nextLook(wheel)
  }
}

function nextLook(wheel: Wheel): Promise<void> {
  return new Promise((resolve) => {
    const forget = wheel.whenClosed(resolve)
    wheel.after(LOOK, () => {
      forget()
      resolve()
    })
  })
}
