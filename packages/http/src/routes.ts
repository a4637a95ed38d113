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

/** By first segment: a route for the segment alone, and one for what stands behind it. */
const ROUTES: ReadonlyMap<string, { readonly alone?: Route; readonly below?: Route }> = new Map([
  ['', { alone: servePage }],
  ['sapwood.js', { alone: serveSdk }],
  ['update', { alone: publishBatch, below: publish }],
  ['connect', { below: connect }],
  ['disconnect', { below: disconnect }],
  ['ws', { alone: upgradeNeeded }],
  ['tcp', { below: bridgeNeeded }],
  ['events', { alone: events, below: events }],
  ['stream', { alone: stream, below: stream }],
  ['poll', { alone: poll, below: poll }],
  ['session', { below: upstream }],
  ['client', { alone: clients, below: ask }],
  ['health', { below: health }],
  ['metrics', { alone: metrics }],
] as [string, { alone?: Route; below?: Route }][])

export function route(call: Call, assets: Assets): void {
  const { path } = call
  const slash = path.indexOf('/', 1)
  const entry = ROUTES.get(path.slice(1, slash < 0 ? path.length : slash))
  const taker = slash < 0 ? entry?.alone : entry?.below
  if (call.method === 'OPTIONS' && isPreflight(call)) preflight(call)
  else if (taker === undefined) call.problem(NOWHERE)
  else taker(call, assets)
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
