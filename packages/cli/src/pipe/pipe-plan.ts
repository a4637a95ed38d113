/**
 * From settings to what a pipe needs: addresses read, modules loaded, what cannot be told before anything listens.
 * Invariant: a plan that is given can be started, as far as settings and modules decide it.
 */
import type { HandlerContext } from '@sapwood/http'
import type { Address, HostAddress } from '@sapwood/net'
import { isPath, parseAddress } from '@sapwood/net'
import type { JoinToken, ResolveName, StateHooks } from '@sapwood/pipe'
import { HOOK_NAMES, loadHandlers, parseJoinToken } from '@sapwood/pipe'
import type { Handlers } from '@sapwood/wire'
import { isFault } from '@sapwood/wire'
import { failure } from '../failure.ts'
import { loadModule } from '../load-module.ts'
import type { Settings } from '../settings/settings.ts'
import type { SettingKey } from '../settings/table.ts'

export type PipeRole = 'server' | 'client'

export interface PipePlan {
  readonly role: PipeRole
  readonly dir: string
  readonly name: string
  /** Where a server listens; undefined if it only takes what others took. */
  readonly listen: HostAddress | undefined
  /** Servers of a client, tried in turn. */
  readonly servers: readonly HostAddress[]
  readonly serverName: string
  /** The HTTP front. */
  readonly http: Address | undefined
  readonly join: JoinToken | undefined
  readonly handlers: Handlers<HandlerContext> | undefined
  readonly target: string | undefined
  readonly hooks: StateHooks
  readonly resolver: ResolveName | undefined
  readonly statsd: HostAddress | undefined
}

const DEFAULT_SERVER = '127.0.0.1:8789'

/**
 * @throws SapwoodError `CONFIG_INVALID` for a module that cannot be loaded or has nothing of use, for a client without a
 * name, for a token that is none or for another name; `HANDLERS_UNREADABLE`, `HANDLERS_INVALID`.
 */
export async function pipePlan(role: PipeRole, settings: Settings): Promise<PipePlan> {
  const { values } = settings
  const join = role === 'client' ? joinToken(settings) : undefined
  const statsd = values['pipe.statsd']
  const http = values['pipe.http']
  const handlers = values['pipe.handlers']
  const servers =
    values['pipe.server'].length > 0 ? values['pipe.server'] : [join?.server ?? DEFAULT_SERVER]
  return {
    role,
    dir: values['pipe.dir'],
    name: nameOf(role, settings, join),
    listen: hostAddress(settings, 'pipe.listen'),
    servers: servers.map((server) => parseAddress(server) as HostAddress),
    serverName:
      join !== undefined && !isSaid(settings, 'pipe.server_name')
        ? join.serverName
        : values['pipe.server_name'],
    http: http === '' ? undefined : parseAddress(http),
    join,
    handlers: handlers === '' ? undefined : await loadHandlers(handlers),
    target: values['pipe.target'] || undefined,
    hooks: await hooksOf(settings),
    // a client has nobody to choose from
    resolver: role === 'server' ? await resolverOf(settings) : undefined,
    statsd: statsd === '' ? undefined : hostAddress(settings, 'pipe.statsd'),
  }
}

/** The plan of a server that listens where another setting says; nowhere, if it says none. */
export async function serverPlan(settings: Settings, key: 'hub.pipe'): Promise<PipePlan> {
  const plan = await pipePlan('server', settings)
  return { ...plan, listen: settings.values[key] === '' ? undefined : hostAddress(settings, key) }
}

function nameOf(role: PipeRole, settings: Settings, join: JoinToken | undefined): string {
  const name = settings.values['pipe.name']
  if (role === 'server') return name
  if (!isSaid(settings, 'pipe.name')) {
    if (join !== undefined) return join.name
    const next = 'say who it is: --name NAME, SAPWOOD_PIPE_NAME, or name in [pipe] of a file'
    throw failure('CONFIG_INVALID', 'pipe.name is missing: a client has a name of its own', next)
  }
  if (join === undefined || join.name === name) return name
  const next = 'leave --name out, or have another token made: sapwood pki invite'
  throw problem(settings, 'pipe.join', `is for ${join.name}, not for ${name}`, next)
}

function joinToken(settings: Settings): JoinToken | undefined {
  const text = settings.values['pipe.join']
  if (text === '') return undefined
  const token = parseJoinToken(text)
  if (!isFault(token)) return token
  throw problem(settings, 'pipe.join', token.detail, 'see: sapwood pki invite --help')
}

function hostAddress(
  settings: Settings,
  key: 'hub.pipe' | 'pipe.listen' | 'pipe.statsd',
): HostAddress {
  const address = parseAddress(settings.values[key])
  if (!isPath(address)) return address
  throw problem(settings, key, 'is a path', 'write HOST:PORT')
}

async function hooksOf(settings: Settings): Promise<StateHooks> {
  const module = await moduleOf(settings, 'pipe.hooks')
  if (module === undefined) return {}
  const found = { ...tableOf(module.default), ...functionsOf(module) }
  const hooks = Object.fromEntries(
    HOOK_NAMES.flatMap((name) => (Object.hasOwn(found, name) ? [[name, found[name]]] : [])),
  )
  if (Object.keys(hooks).length > 0) return hooks
  const next = `export one of ${HOOK_NAMES.join(', ')}`
  throw problem(settings, 'pipe.hooks', 'has no hook', next)
}

async function resolverOf(settings: Settings): Promise<ResolveName | undefined> {
  const module = await moduleOf(settings, 'pipe.resolver')
  if (module === undefined) return undefined
  const found = module.lookup ?? module.default
  if (typeof found === 'function') return found as ResolveName
  const next = 'export function lookup(name) { … }: it gives the name of a client, or undefined'
  throw problem(settings, 'pipe.resolver', 'has no function lookup', next)
}

type ModuleKey = 'pipe.hooks' | 'pipe.resolver'

async function moduleOf(
  settings: Settings,
  key: ModuleKey,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const file = settings.values[key]
  if (file === '') return undefined
  return loadModule(file, `${settings.said.get(key)?.origin}: ${key}`)
}

/** The own functions of a module or an object. */
function functionsOf(from: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(from).filter(
      ([name, value]) => name !== 'default' && typeof value === 'function',
    ),
  )
}

function tableOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? functionsOf(value) : {}
}

function isSaid({ said }: Settings, key: SettingKey): boolean {
  return said.get(key)?.origin !== 'default'
}

function problem(settings: Settings, key: SettingKey, text: string, next: string): Error {
  return failure('CONFIG_INVALID', `${settings.said.get(key)?.origin}: ${key} ${text}`, next)
}
