/**
 * From settings to a shared port: its limits and its routes, with the functions of modules loaded.
 * Invariant: a route that this process cannot serve is told before anything listens.
 */
import type { Address, Choice, PortSwitchOptions, Target } from '@sapwood/net'
import { parseAddress, serviceTarget, spliceTarget } from '@sapwood/net'
import { edgeMatcher } from '@sapwood/wire'
import { failure } from '../failure.ts'
import { loadModule } from '../load-module.ts'
import type { RouteRow } from '../settings/kinds.ts'
import type { Settings } from '../settings/settings.ts'
import { edgeTarget } from './edge-target.ts'

/** What this process serves by itself. */
export interface OwnServices {
  readonly hub?: Target
  readonly line?: Target
  readonly pipe?: Target
}

export interface EdgePlan {
  readonly listen: Address
  readonly limits: NonNullable<PortSwitchOptions['limits']>
  /** Does a route lead to the line form? */
  readonly usesLines: boolean
  /** Does one lead to the pipe? */
  readonly usesPipe: boolean
  /** @throws SapwoodError `CONFIG_INVALID` for a route to a service that is not here. */
  readonly choice: (services: OwnServices) => Choice
}

type MakeTarget = (services: OwnServices) => Target

/**
 * Undefined where nothing is to listen.
 * @throws SapwoodError `CONFIG_INVALID` for a module that cannot be loaded, or has no such function.
 */
export async function edgePlan(settings: Settings): Promise<EdgePlan | undefined> {
  const { values, said } = settings
  if (values['edge.listen'] === '') return undefined
  const rows = values['edge.route']
  const otherwise = values['edge.otherwise']
  const origin = said.get('edge.route')?.origin
  const makers = await Promise.all(
    rows.map((row, index) => maker(row, `${origin}: edge.route number ${index + 1}`, settings)),
  )
  const targets = [otherwise, ...rows.map(({ to }) => to)]
  const last =
    otherwise === 'close'
      ? undefined
      : await maker(
          { to: otherwise },
          `${said.get('edge.otherwise')?.origin}: edge.otherwise`,
          settings,
        )
  return {
    listen: parseAddress(values['edge.listen']),
    limits: {
      connections: values['edge.connections'],
      perAddress: values['edge.connections_per_address'],
    },
    usesLines: targets.includes('line'),
    usesPipe: targets.includes('pipe'),
    choice: (services) => ({
      routes: rows.map(({ when, rewrite }, index) => ({
        match: edgeMatcher(when),
        to: (makers[index] as MakeTarget)(services),
        ...(rewrite === undefined ? {} : { rewrite }),
      })),
      sniff: values['edge.sniff'],
      ...(last === undefined ? {} : { otherwise: last(services) }),
    }),
  }
}

async function maker(
  { to, proxy_protocol }: Pick<RouteRow, 'to' | 'proxy_protocol'>,
  place: string,
  { values }: Settings,
): Promise<MakeTarget> {
  const target = edgeTarget(to)
  if (target?.kind === 'dial') {
    const made = spliceTarget(parseAddress(target.address), {
      limits: { dial: values['edge.connect'], idle: values['edge.idle'] },
      ...(proxy_protocol === undefined ? {} : { proxyProtocol: proxy_protocol === 'v1' ? 1 : 2 }),
    })
    return () => made
  }
  if (target?.kind === 'module') {
    const made = serviceTarget(await loaded(target.file, target.name, place))
    return () => made
  }
  return (services) => {
    const found = target?.kind === 'service' ? services[target.name] : undefined
    if (found !== undefined) return found
    const next = 'put the [edge] table into the file of the hub, or lead it to tcp://HOST:PORT'
    throw failure('CONFIG_INVALID', `${place}: "${to}" is no service of this process`, next)
  }
}

/** @param file from where the process was started. */
async function loaded(
  file: string,
  name: string,
  place: string,
): Promise<(socket: unknown) => unknown> {
  const { [name]: found } = await loadModule(file, place)
  if (typeof found === 'function') return found as (socket: unknown) => unknown
  const next = `export function ${name}(socket) { … }`
  throw failure('CONFIG_INVALID', `${place}: ${file} exports no function ${name}`, next)
}
