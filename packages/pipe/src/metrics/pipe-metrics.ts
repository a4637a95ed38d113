/** The counters of the pipe in the Prometheus text form (RP-41). Durations are in seconds. */
import type { FrontCounters } from '../front/front-options.ts'
import type { PipeCounters, Timing } from './pipe-counters.ts'
import { DURATIONS, TICKS } from './pipe-series.ts'

const PREFIX = 'sapwood_pipe_'
const PER_SECOND = 1000

/** What is served with this text. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/**
 * @param front what the HTTP front has counted, where there is one.
 * @example pipeMetrics(counters) // '# HELP sapwood_pipe_peers …'
 */
export function pipeMetrics(counters: PipeCounters, front?: FrontCounters): string {
  const lines: string[] = []
  gauge(lines, 'peers', 'Peers that are connected.', counters.peers)
  for (const { name, help, read } of TICKS) {
    const series = `${PREFIX}${name}_total`
    lines.push(...head(series, help, 'counter'), `${series} ${read(counters)}`)
  }
  for (const { name, help, read } of DURATIONS) {
    const series = `${PREFIX}${name}_seconds`
    lines.push(...head(series, help, 'summary'), ...summary(series, '', read(counters)))
  }
  const handlers = `${PREFIX}handler_seconds`
  lines.push(...head(handlers, 'Handled requests by handler.', 'summary'))
  for (const [name, timing] of counters.handlers) {
    lines.push(...summary(handlers, `{handler="${escaped(name)}"}`, timing))
  }
  const faults = `${PREFIX}faults_total`
  lines.push(...head(faults, 'What went wrong, by code.', 'counter'))
  codes(lines, faults, counters.faults)
  if (front !== undefined) frontLines(lines, front)
  return `${lines.join('\n')}\n`
}

function frontLines(lines: string[], { requests, open, upgrades, faults }: FrontCounters): void {
  gauge(lines, 'front_open', 'Requests of the HTTP front that are open.', open)
  for (const [name, help, count] of [
    ['front_requests', 'Requests to the HTTP front.', requests],
    ['front_upgrades', 'Requests there that changed to another protocol.', upgrades],
  ] as const) {
    const series = `${PREFIX}${name}_total`
    lines.push(...head(series, help, 'counter'), `${series} ${count}`)
  }
  const refused = `${PREFIX}front_faults_total`
  lines.push(...head(refused, 'What went wrong at the HTTP front, by code.', 'counter'))
  codes(lines, refused, faults)
}

function codes(lines: string[], series: string, faults: ReadonlyMap<string, number>): void {
  for (const [code, count] of faults) lines.push(`${series}{code="${escaped(code)}"} ${count}`)
}

function gauge(lines: string[], name: string, help: string, value: number): void {
  lines.push(...head(PREFIX + name, help, 'gauge'), `${PREFIX}${name} ${value}`)
}

function head(series: string, help: string, kind: string): readonly string[] {
  return [`# HELP ${series} ${help}`, `# TYPE ${series} ${kind}`]
}

function summary(series: string, labels: string, { count, total }: Timing): readonly string[] {
  return [`${series}_sum${labels} ${total / PER_SECOND}`, `${series}_count${labels} ${count}`]
}

/** A noun may hold anything. */
function escaped(label: string): string {
  return label.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
