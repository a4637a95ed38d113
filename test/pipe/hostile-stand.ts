/** A server of the pipe behind a front, with a good peer that stays there all the time: who hostile ones are let loose on. */
import { Wheel } from '@sapwood/core'
import { nodeClock } from '@sapwood/net'
import {
  countingObserver,
  type Front,
  measuredAsker,
  type PeerSettings,
  PipeCounters,
  type PipeServer,
  pipeMetrics,
  serveFront,
} from '@sapwood/pipe'
import { pipeHeads } from '@sapwood/wire'
import type { Test } from 'tap'
import { connected, Log, TestAnswerer, World } from './peer-world.ts'

/** A server with a front; `beta` is a good peer that stays there all the time. */
export interface Stand {
  readonly world: World
  readonly server: PipeServer
  readonly front: Front
  readonly port: number
  readonly url: string
  readonly counters: PipeCounters
  readonly log: Log
}

export async function stand(
  t: Test,
  settings: Partial<PeerSettings> = {},
  answerer = new TestAnswerer('server'),
): Promise<Stand> {
  const world = await World.make(t, 'alpha', 'beta')
  const [counters, log] = [new PipeCounters(), new Log()]
  const observer = countingObserver(counters, nodeClock, [log])
  const server = await world.server({ answerer, observer, settings: { drain: 0, ...settings } })
  const asker = measuredAsker(server.asker, counters, nodeClock)
  const wheel = new Wheel(nodeClock)
  t.teardown(() => wheel.close())
  const front = await serveFront({ listen: '127.0.0.1:0', asker, wheel })
  t.teardown(() => front.close())
  const { port } = server.address
  await connected(await world.client('beta', port))
  return { world, server, front, port, url: `http://${front.address}`, counters, log }
}

export interface Answer {
  readonly status: number
  readonly returned: string | null
  readonly code: string | undefined
  readonly detail: string | undefined
}

export async function ask(url: string, path: string): Promise<Answer> {
  const response = await fetch(`${url}/client/${path}`)
  const { status, headers } = response
  const isProblem = headers.get('content-type') === 'application/problem+json'
  const { code, detail } = isProblem
    ? await response.json()
    : { code: undefined, detail: undefined }
  return { status, returned: headers.get('x-event-return-code'), code, detail }
}

/** A head of an answer, whatever it says. */
export function answer(status: number, headers: readonly string[] = [], code = 0): Buffer {
  const head = { status, headers, code }
  const bytes = Buffer.alloc(pipeHeads.responseMost(head))
  return bytes.subarray(0, pipeHeads.writeResponse(bytes, 0, head))
}

/** How often a code was counted, as an operator sees it. */
export function counted({ counters, front }: Stand, code: string, of = 'pipe'): number {
  const line = new RegExp(`^sapwood_${of}_faults_total\\{code="${code}"\\} (\\d+)$`, 'm')
  return Number(line.exec(pipeMetrics(counters, front.counters))?.[1] ?? 0)
}

/** Nobody else notices: the good peer answers, on the connection that it had all the time. */
export async function unharmed(t: Test, { url, log }: Stand, after: string): Promise<void> {
  t.match(await ask(url, 'beta/x'), { status: 200, returned: '0' }, `beta, after ${after}`)
  t.notOk(log.has('removed beta'), `beta stays, after ${after}`)
}

/** Bytes that are no frames. */
export const GARBAGE = Buffer.from('GET / HTTP/1.1\r\n\r\n')
/** A varint of nine bytes. */
export const HUGE = [255, 255, 255, 255, 255, 255, 255, 255, 127]
