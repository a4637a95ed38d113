/** What a pipe's HTTP front answers by itself: liveness, readiness, metrics, who is connected. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { JSON_TYPE } from '@sapwood/core'
import type { FrontCounters, PipeClientState, PipeCounters } from '@sapwood/pipe'
import { METRICS_TYPE, pipeMetrics } from '@sapwood/pipe'

export interface OwnPages {
  readonly counters: PipeCounters
  /** What the front itself has counted; it is not there yet when the pages are made. */
  readonly front: () => FrontCounters | undefined
  readonly isDraining: () => boolean
  /** Of a server: who is known to it. */
  readonly clients?: (() => readonly PipeClientState[]) | undefined
}

type Page = readonly [status: number, type: string, text: string]

/** @example serveFront({ otherwise: ownPages({ counters, front: () => front?.counters, isDraining }), … }) */
export function ownPages(
  pages: OwnPages,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const [status, type, text] = pageOf(request, pages)
    response.writeHead(status, {
      'Content-Type': type,
      'Content-Length': Buffer.byteLength(text),
      ...(status === 405 && { Allow: 'GET, HEAD' }),
    })
    response.end(text)
  }
}

function pageOf({ url = '', method }: IncomingMessage, pages: OwnPages): Page {
  const [path] = url.split('?', 1)
  const page = PAGES[path ?? '']
  if (page === undefined) return problem(404, 'NOT_FOUND', NOT_FOUND)
  if (method === 'GET' || method === 'HEAD') return page(pages)
  return problem(405, 'METHOD_NOT_ALLOWED', `${path} is read with GET`)
}

const NOT_FOUND =
  'here are /server/…, /update/… and /events of a client, /client and /client/NAME/… of a server, /metrics and /health/ready'

const PAGES: Readonly<Record<string, (pages: OwnPages) => Page>> = {
  '/metrics': ({ counters, front }) => [
    200,
    METRICS_TYPE,
    pipeMetrics(counters, front()) + processMetrics(),
  ],
  '/client': ({ clients }) =>
    clients === undefined
      ? problem(404, 'NOT_FOUND', NOT_FOUND)
      : [200, JSON_TYPE, JSON.stringify(clients())],
  '/health/live': () => [200, JSON_TYPE, '{"status":"live"}'],
  '/health/ready': ({ isDraining }) =>
    isDraining()
      ? problem(503, 'DRAINING', 'this end of the pipe is stopping')
      : [200, JSON_TYPE, '{"status":"ready"}'],
}

function problem(status: number, code: string, detail: string): Page {
  return [status, 'application/problem+json', JSON.stringify({ code, detail, status })]
}

function processMetrics(): string {
  const { user, system } = process.cpuUsage()
  return `# HELP process_resident_memory_bytes Resident memory.
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes ${process.memoryUsage.rss()}
# HELP process_cpu_seconds_total CPU time.
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total ${(user + system) / 1e6}
`
}
