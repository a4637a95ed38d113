/**
 * The way from a hub's HTTP side to whoever is asked as peers are, by requests that stream.
 * Invariant: limits, waits and origins are those of the hub.
 */
import type { HttpOptions } from '@sapwood/http'
import { corsHeaders, Origins } from '@sapwood/http'
import type { Hub } from '@sapwood/hub'
import type { Asker } from '@sapwood/pipe'
import { PipeGateway } from '@sapwood/pipe'
import type { Values } from '../settings/table.ts'

/** What of the hub's HTTP side goes for these requests as well. */
export type GatewayHttp = Pick<HttpOptions, 'dev' | 'origins' | 'trustedProxies'>

/** What those who ask have in common, by requests or by questions of sessions. */
export interface AskerPlan {
  readonly asker: Asker
  readonly wheel: Hub['wheel']
  readonly wait: number
  readonly timeout: number
}

export function askerPlan(hub: Hub, asker: Asker, values: Values): AskerPlan {
  return { asker, wheel: hub.wheel, wait: values['ask.wait'], timeout: values['ask.timeout'] }
}

export function hubGateway(plan: AskerPlan, values: Values, http: GatewayHttp): PipeGateway {
  const origins = new Origins(http.origins ?? [], (http.dev ?? false) && !http.origins?.length)
  return new PipeGateway({
    ...plan,
    bodyTime: values['limits.body_time'],
    stream: values['limits.stream'],
    ...(http.trustedProxies && { trustedProxies: http.trustedProxies }),
    cors: (head) => corsHeaders(origins, head),
  })
}
