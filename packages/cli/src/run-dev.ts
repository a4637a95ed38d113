/**
 * The process behind `sapwood dev`: a hub that trusts everybody on this machine, and says in plain words what to do
 * next. Invariant: it never listens on an address that another machine can reach.
 */
import { spawn } from 'node:child_process'
import { reasonOf, SapwoodError } from '@sapwood/core'
import type { HttpOptions } from '@sapwood/http'
import type { Hub, Log } from '@sapwood/hub'
import { edgePlan } from './edge/edge-plan.ts'
import { failure } from './failure.ts'
import { httpOptions, hubOptions } from './hub-options.ts'
import { linePlan } from './line/line-plan.ts'
import { plainLog, serviceLog } from './log.ts'
import { hubHandlers, hubPipePlan, openHubTarget } from './pipe/hub-pipe-plan.ts'
import { withPeers } from './pipe/peer-rules.ts'
import { serve } from './serve.ts'
import { settingsOf } from './setting-flags.ts'
import { hostOfAddress } from './settings/address-text.ts'
import type { Settings } from './settings/settings.ts'
import type { RunningHub } from './start-hub.ts'
import { startHub } from './start-hub.ts'
import type { Surroundings } from './surroundings.ts'
import { tlsPlan } from './tls-plan.ts'

export interface DevFlags extends Readonly<Record<string, unknown>> {
  /** JSON lines for machines instead of plain words. */
  readonly json?: true
  /** Opens the demo page in a browser. */
  readonly open?: true
}

const LOOPBACK: readonly string[] = ['127.0.0.1', '::1', 'localhost']

const PAGE = new URL('../page/index.html', import.meta.resolve('@sapwood/http'))

/**
 * Runs until a signal says stop.
 * @throws SapwoodError `CONFIG_INVALID`, `DEV_NOT_LOOPBACK`, `PORT_IN_USE` for a port that was asked for.
 */
export async function runDev(flags: DevFlags, surroundings: Surroundings): Promise<void> {
  const plain = flags.json !== true
  const own = new Map([['log.updates', { raw: plain, origin: 'sapwood dev' }] as const])
  const settings = await settingsOf(flags, surroundings, own)
  requireLoopback(settings)
  const { values, warnings } = settings
  const { stdout } = surroundings
  const level = values['log.level']
  const log = plain ? plainLog(level, surroundings) : await serviceLog(level, surroundings, true)
  for (const { code, text } of warnings) log.warn({ code }, text)
  const show = (line: string): void => {
    if (plain) stdout.write(line)
    else log.info({}, line.trimEnd())
  }
  const start = async (): Promise<RunningHub> => {
    const running = await startOnFreePort(settings, log, values['log.updates'] ? show : undefined)
    const { url, listen } = running
    if (plain) stdout.write(welcome(url, listen.line))
    else log.info({ url, listen }, 'ready')
    if (flags.open === true) openPage(url, log)
    return running
  }
  await serve(start, surroundings, values['drain.limit'], log)
}

function requireLoopback({ values, said }: Settings): void {
  for (const key of ['hub.host', 'hub.line', 'edge.listen'] as const) {
    const value = values[key]
    const host = key === 'hub.host' ? value : hostOfAddress(value)
    if (value === '' || host === undefined || LOOPBACK.includes(host)) continue
    throw failure(
      'DEV_NOT_LOOPBACK',
      `${said.get(key)?.origin}: sapwood dev trusts everybody, so it does not listen on ${host || 'every address'}`,
      'leave the host out, or start a hub with a key: sapwood hub --host ADDRESS --key KEY',
    )
  }
}

/** The usual port may be taken; unless somebody asked for just this one, any other does as well. */
async function startOnFreePort(
  settings: Settings,
  log: Log,
  onUpdate?: (line: string) => void,
): Promise<RunningHub> {
  const { values, said } = settings
  const edge = await edgePlan(settings)
  const pipe = await hubPipePlan(settings, edge)
  const options = hubOptions(values, { log })
  const rest = {
    hub: pipe === undefined ? options : { ...options, rules: withPeers(values['gate.rule']) },
    line: linePlan(values, true),
    tls: await tlsPlan(settings),
    pipe,
    target: (hub: Hub, http: HttpOptions) => openHubTarget(hub, values, http),
    edge,
    onUpdate,
  }
  const served = { ...httpOptions(values), ...(await hubHandlers(values)) }
  const http: HttpOptions = { ...served, dev: true, assets: { ...served.assets, page: PAGE } }
  try {
    return await startHub({ ...rest, http })
  } catch (thrown) {
    const isTaken = thrown instanceof SapwoodError && thrown.code === 'PORT_IN_USE'
    // the port of lines, or of the edge, is one that somebody asked for
    const isUsual = isTaken && (thrown.cause as { port?: number } | undefined)?.port === http.port
    if (!isUsual || said.get('hub.port')?.origin !== 'default') throw thrown
    log.warn({ port: http.port }, 'the usual port is taken; taking a free one')
    return startHub({ ...rest, http: { ...http, port: 0 } })
  }
}

function welcome(url: string, line: string | undefined): string {
  const lines = line === undefined ? '' : `\n  lines        ${line}`
  return `Sapwood is ready, for trying things out: anyone on this machine may do everything, without a key.

  hub          ${url}
  demo page    ${url}/${lines}
  say          curl -d '{"text":"hello"}' ${url}/update/rooms/lobby
  watch        curl -N '${url}/events?path=rooms/**'
  stop         Ctrl-C

What is said appears below as "path; message".

`
}

const OPENERS: Readonly<Record<string, readonly [string, ...string[]]>> = {
  darwin: ['open'],
  win32: ['cmd', '/c', 'start', ''],
}

function openPage(url: string, log: Log): void {
  const [program, ...before] = OPENERS[process.platform] ?? ['xdg-open']
  const child = spawn(program, [...before, url], { detached: true, stdio: 'ignore' })
  child.once('error', (thrown) =>
    log.warn({ url, reason: reasonOf(thrown) }, 'cannot open a browser; open the page yourself'),
  )
  child.unref()
}
