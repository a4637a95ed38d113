/**
 * The life of a service: it starts, runs until a signal, drains within its limit, closes. A second signal ends the
 * drain at once; one that comes while it starts is not lost.
 * Invariant: after the first signal it is over within the limit and `CLOSE_LIMIT`, whatever the service does, and
 * leaves neither timer nor listener.
 */
import type { Clock } from '@sapwood/core'
import type { StopSignal, Surroundings } from './surroundings.ts'

export interface Service {
  /** Finishes what is under way; nothing new is taken. */
  drain(): Promise<void>
  /** Ends everything now. */
  close(): Promise<void>
}

export interface StopOptions {
  /** How long the drain may take, in milliseconds. */
  readonly limit: number
  readonly clock: Clock
  /** Called at the first signal. */
  readonly onStop: (signal: StopSignal) => void
  /** The service failed to drain or to close; it is ended all the same. */
  readonly onFault: (thrown: unknown) => void
}

const SIGNALS: readonly StopSignal[] = ['SIGINT', 'SIGTERM']

/** How long closing may take, in milliseconds. It waits for nobody, so this is for mistakes only. */
const CLOSE_LIMIT = 1000

/** One Ctrl-C reaches us twice under npm: from the terminal, and passed on by npm. */
const SAME_KEY_PRESS = 100

/**
 * @param start gives the service when it is ready; what it throws is thrown on.
 * @example await untilStopped(() => startHub(…), process, { limit: 10_000, clock, onStop, onFault })
 */
export async function untilStopped(
  start: () => Promise<Service>,
  process: Pick<Surroundings, 'on' | 'off'>,
  { limit, clock, onStop, onFault }: StopOptions,
): Promise<void> {
  // before it is ready: whoever sees that it is may stop it right away
  const signals = new Signals(process, clock)
  try {
    const service = await start()
    onStop(await signals.first)
    await within(limit, clock, [service.drain().catch(onFault), signals.second])
    await within(CLOSE_LIMIT, clock, [service.close().catch(onFault)])
  } finally {
    signals.close()
  }
}

async function within(
  limit: number,
  clock: Clock,
  ends: readonly Promise<unknown>[],
): Promise<void> {
  let forget: (() => void) | undefined
  const elapsed = new Promise<void>((resolve) => {
    forget = clock.after(limit, resolve)
  })
  await Promise.race([...ends, elapsed])
  forget?.()
}

class Signals {
  readonly first: Promise<StopSignal>
  readonly second: Promise<void>
  readonly #undo: (() => void)[] = []

  constructor(process: Pick<Surroundings, 'on' | 'off'>, clock: Clock) {
    let begin: (signal: StopSignal) => void
    let hurry: () => void
    this.first = new Promise((resolve) => {
      begin = resolve
    })
    this.second = new Promise((resolve) => {
      hurry = resolve
    })
    let since: number | undefined
    for (const signal of SIGNALS) {
      const listener = (): void => {
        since ??= clock.now()
        if (clock.now() - since > SAME_KEY_PRESS) hurry()
        else begin(signal)
      }
      process.on(signal, listener)
      this.#undo.push(() => process.off(signal, listener))
    }
  }

  close(): void {
    for (const undo of this.#undo) undo()
  }
}
