/** Runs a service until its operator stops it, and logs its end. */
import { reasonOf } from '@sapwood/core'
import type { Log } from '@sapwood/hub'
import { nodeClock } from '@sapwood/hub'
import { compileEarly } from './compile-early.ts'
import type { Surroundings } from './surroundings.ts'
import type { Service } from './until-stopped.ts'
import { untilStopped } from './until-stopped.ts'

/**
 * @param start gives the service when it is ready, and announces it.
 * @param limit how long the drain may take, in milliseconds.
 */
export async function serve(
  start: () => Promise<Service>,
  surroundings: Surroundings,
  limit: number,
  log: Log,
): Promise<void> {
  compileEarly()
  await untilStopped(start, surroundings, {
    limit,
    clock: nodeClock,
    onStop: (signal) => log.info({ signal }, 'stopping'),
    onFault: (thrown) =>
      log.error({ code: 'STOP_FAILED', reason: reasonOf(thrown) }, 'could not stop in good order'),
  })
  log.info({}, 'stopped')
}
