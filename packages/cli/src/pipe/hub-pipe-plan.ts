/** What a hub takes from the settings of pipes. The code of the pipe is loaded only where there is one. */
import type { HandlerContext, HttpOptions } from '@sapwood/http'
import type { Hub } from '@sapwood/hub'
import type { Handlers } from '@sapwood/wire'
import type { EdgePlan } from '../edge/edge-plan.ts'
import type { Settings } from '../settings/settings.ts'
import type { Values } from '../settings/table.ts'
import type { HubTarget } from './hub-target.ts'
import type { PipePlan } from './pipe-plan.ts'

export interface HubPipePlan {
  readonly plan: PipePlan
  readonly values: Values
}

/**
 * Undefined where a hub has no pipe: nothing is to listen, and no route of `edge` leads to one.
 * @throws SapwoodError as `pipePlan` does.
 */
export async function hubPipePlan(
  settings: Settings,
  edge: EdgePlan | undefined,
): Promise<HubPipePlan | undefined> {
  const { values } = settings
  if (values['hub.pipe'] === '' && edge?.usesPipe !== true) return undefined
  const { serverPlan } = await import('./pipe-plan.ts')
  return { plan: await serverPlan(settings, 'hub.pipe'), values }
}

/**
 * The server that answers for the hub, if there is one.
 * @throws SapwoodError `TARGET_URL_INVALID`
 */
export async function openHubTarget(
  hub: Hub,
  values: Values,
  http: HttpOptions,
): Promise<HubTarget | undefined> {
  if (values['pipe.target'] === '') return undefined
  const { hubTarget } = await import('./hub-target.ts')
  return hubTarget(hub, values, http)
}

/**
 * What the hub answers under its own name, with a pipe or without.
 * @throws SapwoodError `HANDLERS_UNREADABLE`, `HANDLERS_INVALID`
 */
export async function hubHandlers(
  values: Values,
): Promise<{ readonly handlers?: Handlers<HandlerContext> }> {
  const file = values['pipe.handlers']
  if (file === '') return {}
  const { loadHandlers } = await import('@sapwood/pipe')
  return { handlers: await loadHandlers(file) }
}
