/** The process behind `sapwood edge`: a shared port without a hub. */
import { edgePlan } from './edge/edge-plan.ts'
import type { OpenPort } from './edge/open-port.ts'
import { openPort } from './edge/open-port.ts'
import { failure } from './failure.ts'
import { serviceLog } from './log.ts'
import { serve } from './serve.ts'
import { settingsOf } from './setting-flags.ts'
import type { Surroundings } from './surroundings.ts'

export interface EdgeFlags extends Readonly<Record<string, unknown>> {
  /** JSON lines on a terminal, too. */
  readonly json?: true
}

/**
 * Runs until a signal says stop.
 * @throws SapwoodError `CONFIG_INVALID`, `PORT_IN_USE` and others that say why it cannot listen.
 */
export async function runEdge(flags: EdgeFlags, surroundings: Surroundings): Promise<void> {
  const settings = await settingsOf(flags, surroundings)
  const { values, warnings } = settings
  const log = await serviceLog(values['log.level'], surroundings, flags.json === true)
  for (const { code, text } of warnings) log.warn({ code }, text)
  const plan = await edgePlan(settings)
  if (plan === undefined) {
    const next = 'write [edge] with listen = "HOST:PORT" into a file, and name it: --config FILE'
    throw failure('CONFIG_INVALID', 'edge.listen is missing: there is no port to share', next)
  }
  const { listen, limits } = plan
  const options = { listen, limits, ...plan.choice({}) }
  const start = async (): Promise<OpenPort> => {
    const port = await openPort(options, { log, drain: values['drain.limit'] })
    log.info({ listen: { edge: port.place } }, 'ready')
    return port
  }
  await serve(start, surroundings, values['drain.limit'], log)
}
