/**
 * Which route takes a request: the first segment of the raw path decides, so nothing is normalised on the way.
 * A preflight of a browser is answered here, for every route alike.
 */
import { ask } from './ask.ts'
import type { Assets } from './assets.ts'
import { servePage, serveSdk } from './assets.ts'
import { publishBatch } from './batch.ts'
import type { Call } from './call.ts'
import { clients } from './clients.ts'
import { connect, disconnect } from './connect.ts'
import { events, stream } from './events.ts'
import { poll } from './poll.ts'
import { fault } from './problem.ts'
import { publish } from './publish.ts'
import { health, metrics } from './status.ts'
import { upstream } from './upstream.ts'

type Route = (call: Call, assets: Assets) => void

interface Entry {
  /** Takes the segment alone. */
  readonly alone?: Route
  /** Takes what stands behind it. */
  readonly below?: Route
  /** Segments that may stand there; any number, if nothing is said. */
  readonly most?: number
}

/** By first segment. */
const ROUTES: ReadonlyMap<string, Entry> = new Map([
  ['', { alone: servePage }],
  ['sapwood.js', { alone: serveSdk }],
  ['update', { alone: publishBatch, below: publish }],
  ['connect', { below: connect }],
  ['disconnect', { below: disconnect }],
  ['ws', { alone: upgradeNeeded }],
  ['tcp', { below: bridgeNeeded }],
  ['events', { alone: events, below: events, most: 1 }],
  ['stream', { alone: stream, below: stream, most: 1 }],
  ['poll', { alone: poll, below: poll, most: 2 }],
  ['session', { below: upstream, most: 2 }],
  ['client', { alone: clients, below: ask }],
  ['health', { below: health }],
  ['metrics', { alone: metrics }],
] as [string, Entry][])

export function route(call: Call, assets: Assets): void {
  const { path } = call
  const slash = path.indexOf('/', 1)
  const entry = ROUTES.get(path.slice(1, slash < 0 ? path.length : slash))
  const taker = slash < 0 ? entry?.alone : below(path, entry)
  if (call.method === 'OPTIONS' && isPreflight(call)) preflight(call)
  else if (taker === undefined) call.problem(NOWHERE)
  else taker(call, assets)
}

function below(path: string, entry: Entry | undefined): Route | undefined {
  const isTooLong = entry?.most !== undefined && path.split('/').length - 2 > entry.most
  return isTooLong ? undefined : entry?.below
}

const NOWHERE = fault('NOT_FOUND', 'nothing is served here; see the documentation for what is', 404)

function upgradeNeeded(call: Call): void {
  const detail = 'open this as a WebSocket, subprotocol sapwood.v1'
  call.problem(fault('UPGRADE_REQUIRED', detail, 426), ['Upgrade', 'websocket'])
}

function bridgeNeeded(call: Call): void {
  if (!call.context.bridges.serves(call.path)) return call.problem(NOWHERE)
  const detail = 'open this as a WebSocket; its binary frames are the bytes of the connection'
  call.problem(fault('UPGRADE_REQUIRED', detail, 426), ['Upgrade', 'websocket'])
}

function isPreflight(call: Call): boolean {
  return (
    call.head.origin !== undefined &&
    call.request.headers['access-control-request-method'] !== undefined
  )
}

function preflight(call: Call): void {
  const refused =
    call.path === '/sapwood.js' ? undefined : call.context.trust.pageRefusal(call.head)
  if (refused !== undefined) return call.problem(refused)
  const { headers } = call.request
  call.response.writeHead(204, [
    ...call.cors,
    'Access-Control-Allow-Methods',
    'GET, HEAD, POST, PUT, PATCH, DELETE',
    'Access-Control-Allow-Headers',
    headers['access-control-request-headers'] ?? '*',
    'Access-Control-Max-Age',
    '600',
  ])
  call.response.end()
}
