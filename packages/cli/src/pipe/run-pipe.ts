/** The process behind `sapwood pipe server` and `sapwood pipe client`. */
import { serviceLog } from '../log.ts'
import { serve } from '../serve.ts'
import { settingsOf } from '../setting-flags.ts'
import type { Said } from '../settings/layer.ts'
import type { SettingKey } from '../settings/table.ts'
import { keysOf } from '../settings/table.ts'
import type { Surroundings } from '../surroundings.ts'
import { CLIENT_HTTP } from './client-defaults.ts'
import { joinFirst } from './join-first.ts'
import type { PipeRole } from './pipe-plan.ts'
import { pipePlan } from './pipe-plan.ts'
import type { RunningPipe } from './start-pipe.ts'
import { startPipe } from './start-pipe.ts'

export interface PipeFlags extends Readonly<Record<string, unknown>> {
  /** JSON lines on a terminal, too. */
  readonly json?: true
}

const OWN: Readonly<Record<PipeRole, ReadonlyMap<SettingKey, Said>>> = {
  server: new Map(),
  client: new Map([['pipe.http', { raw: CLIENT_HTTP, origin: 'sapwood pipe client' }]]),
}

/**
 * Runs until a signal says stop.
 * @throws SapwoodError `CONFIG_INVALID`, `FRONT_OPEN`, `PORT_IN_USE` and others that say why it cannot listen, those of
 * `TrustStore.open` for its certificate, those of `join`.
 */
export async function runPipe(
  role: PipeRole,
  flags: PipeFlags,
  surroundings: Surroundings,
): Promise<void> {
  const settings = await settingsOf(flags, surroundings, OWN[role], keysOf('pipe'))
  const { values, warnings } = settings
  const log = await serviceLog(values['log.level'], surroundings, flags.json === true)
  for (const { code, text } of warnings) log.warn({ code }, text)
  const plan = await pipePlan(role, settings)
  const start = async (): Promise<RunningPipe> => {
    await joinFirst(plan, log)
    const running = await startPipe(plan, values, log)
    log.info({ name: plan.name, listen: running.listen }, 'ready')
    return running
  }
  await serve(start, surroundings, values['drain.limit'], log)
}
