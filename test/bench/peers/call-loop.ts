/** Asks in a closed loop, within the process that asks: so many calls at a time, for so long. */
export async function callLoop(
  ask: () => Promise<unknown>,
  open: number,
  seconds: number,
): Promise<number> {
  const end = performance.now() + seconds * 1000
  let calls = 0
  const caller = async (): Promise<void> => {
    while (performance.now() < end) {
      await ask()
      calls++
    }
  }
  await Promise.all(Array.from({ length: open }, caller))
  return calls
}
