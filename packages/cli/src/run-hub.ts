/** The process behind `sapwood hub`: it announces that it is ready in one line, and drains before it stops. */
import type { Rule } from '@sapwood/hub'
import { edgePlan } from './edge/edge-plan.ts'
import { failure } from './failure.ts'
import { httpOptions, hubOptions } from './hub-options.ts'
import { linePlan } from './line/line-plan.ts'
import { serviceLog } from './log.ts'
import { hubHandlers, hubPipePlan, openHubTarget } from './pipe/hub-pipe-plan.ts'
import { withPeers } from './pipe/peer-rules.ts'
import { serve } from './serve.ts'
import { HUB_SETTINGS, settingsOf } from './setting-flags.ts'
import type { Values } from './settings/table.ts'
import type { RunningHub } from './start-hub.ts'
import { startHub } from './start-hub.ts'
import type { Surroundings } from './surroundings.ts'
import { tlsPlan } from './tls-plan.ts'

export interface HubFlags extends Readonly<Record<string, unknown>> {
  /** JSON lines on a terminal, too. */
  readonly json?: true
}

/**
 * Runs until a signal says stop.
 * @throws SapwoodError `CONFIG_INVALID`, `NOBODY_CAN_PUBLISH`, `PORT_IN_USE` and others that say why it cannot listen.
 */
export async function runHub(flags: HubFlags, surroundings: Surroundings): Promise<void> {
  const settings = await settingsOf(flags, surroundings, undefined, HUB_SETTINGS)
  const { values, warnings } = settings
  const log = await serviceLog(values['log.level'], surroundings, flags.json === true)
  for (const { code, text } of warnings) log.warn({ code }, text)
  const onUpdate = values['log.updates']
    ? (line: string): void => log.info({}, line.trimEnd())
    : undefined
  const start = async (): Promise<RunningHub> => {
    const edge = await edgePlan(settings)
    const pipe = await hubPipePlan(settings, edge)
    const rules = pipe === undefined ? values['gate.rule'] : withPeers(values['gate.rule'])
    requirePublisher(values, rules, surroundings)
    const running = await startHub({
      hub: { ...hubOptions(values, { log }), rules },
      http: { ...httpOptions(values), ...(await hubHandlers(values)) },
      line: linePlan(values, false),
      tls: await tlsPlan(settings),
      pipe,
      target: (hub, http) => openHubTarget(hub, values, http),
      edge,
      onUpdate,
    })
    log.info({ url: running.url, listen: running.listen }, 'ready')
    return running
  }
  await serve(start, surroundings, values['drain.limit'], log)
}

/** @throws SapwoodError `NOBODY_CAN_PUBLISH`: such a hub would only ever be silent. */
function requirePublisher(values: Values, rules: readonly Rule[], { env }: Surroundings): void {
  const someRule = rules.some(({ may }) => may.includes('publish'))
  if (values['hub.key'].length > 0 || someRule) return
  const mistaken = env.SAPWOOD_KEY ? ' (SAPWOOD_KEY is for pub, sub and ask)' : ''
  throw failure(
    'NOBODY_CAN_PUBLISH',
    `nobody could publish to this hub: it has no key, and no rule lets anyone publish${mistaken}`,
    'give it a key: --key KEY, SAPWOOD_HUB_KEY, or key in [hub] of a settings file\n' +
      '  or try things out without one: sapwood dev',
  )
}
