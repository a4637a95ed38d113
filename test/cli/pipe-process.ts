/**
 * Ends of a pipe, in this process or as processes of their own, with identities made for them, and a way to ask their
 * fronts.
 */
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Authority } from '@sapwood/pipe'
import type { Test } from 'tap'
import { temporary } from '../pipe/openssl.ts'
import { type Started, start } from './command.ts'

export const pause = promisify(setTimeout)

/** Nobody else's statsd hears of tests. */
export const QUIET = { SAPWOOD_PIPE_STATSD: 'none' }

export interface Ready {
  readonly name: string
  readonly listen: Readonly<Record<string, string>>
}

export async function ready(process: Started): Promise<Ready> {
  const [line] = await process.says(/^.*"msg":"ready".*$/m)
  return JSON.parse(line)
}

/** A directory with a CA and an identity for each name. */
export async function identities(t: Test, ...names: readonly string[]): Promise<string> {
  const dir = join(temporary(t), 'pki')
  const authority = await Authority.init(dir)
  for (const name of names) await authority.issue(name)
  return dir
}

export interface Running {
  readonly process: Started
  /** The HTTP front. */
  readonly url: string
  /** Where a server listens for clients. */
  readonly pipe: string
}

export type Flags = readonly string[]
type Env = Readonly<Record<string, string>>

/** @param begin `startProcess`, for one that is a process of its own. */
export async function startServer(
  t: Test,
  dir: string,
  flags: Flags = [],
  env: Env = {},
  begin: typeof start = start,
): Promise<Running> {
  const ports = ['--listen', '127.0.0.1:0', '--http', '127.0.0.1:0']
  const args = ['pipe', 'server', '--dir', dir, ...ports, ...flags]
  const process = begin(t, args, { ...QUIET, ...env })
  const { listen } = await ready(process)
  return { process, url: `http://${listen.http}`, pipe: listen.pipe ?? '' }
}

/** @param begin `startProcess`, for one that is a process of its own. */
export async function startClient(
  t: Test,
  dir: string,
  server: string,
  name: string,
  flags: Flags = [],
  env: Env = {},
  begin: typeof start = start,
): Promise<Running> {
  const own = ['--name', name, '--server', server, '--http', '127.0.0.1:0']
  const args = ['pipe', 'client', '--dir', dir, ...own, ...flags]
  const process = begin(t, args, { ...QUIET, ...env })
  const { listen } = await ready(process)
  return { process, url: `http://${listen.http}`, pipe: '' }
}

export interface Got {
  readonly status: number
  readonly code: string | null
  readonly type: string | null
  readonly body: string
}

export async function get(url: string, init: RequestInit = {}): Promise<Got> {
  const response = await fetch(url, init)
  const { status, headers } = response
  return {
    status,
    code: headers.get('x-event-return-code'),
    type: headers.get('content-type'),
    body: await response.text(),
  }
}
