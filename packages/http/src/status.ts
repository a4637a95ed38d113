/** Liveness, readiness, and what was counted, in the Prometheus text form. */
import type { Call, HttpContext } from './call.ts'
import { forCaller } from './call.ts'
import { hostName, isLoopbackAddress, isLoopbackName } from './loopback.ts'
import { fault } from './problem.ts'

/** Takes a call to `/health/live` or `/health/ready`. */
export function health(call: Call): void {
  if (!call.allows('GET', 'HEAD')) return
  const { hub } = call.context
  const what = call.path.slice('/health/'.length)
  if (what === 'live') call.json(200, '{"status":"live"}')
  else if (what !== 'ready')
    call.problem(fault('NOT_FOUND', 'there is /health/live and /health/ready', 404))
  else if (hub.draining) call.problem(fault('DRAINING', 'this hub is stopping', 503))
  else call.json(200, '{"status":"ready"}')
}

/** Takes a call to `/metrics`: for peers on this machine, and for whoever has a key. */
export function metrics(call: Call): void {
  if (!call.allows('GET', 'HEAD')) return
  call.identify(undefined, (principal) => {
    if (!isNear(call) && !principal.trusted) {
      const detail = 'metrics are for this machine and for who has a key'
      return call.problem(forCaller(fault('NOT_ALLOWED', detail, 403), principal))
    }
    const text = metricsText(call.context) + (call.context.options.peers?.metrics() ?? '')
    call.response.writeHead(200, [
      'Content-Type',
      'text/plain; version=0.0.4; charset=utf-8',
      'Content-Length',
      String(Buffer.byteLength(text)),
      ...call.cors,
    ])
    call.response.end(text)
  })
}

/** Asked by a program of this machine: a page whose name was made to mean this machine asks for that name. */
function isNear({ request, head }: Call): boolean {
  const { host = 'localhost', forwarded } = head
  return (
    isLoopbackAddress(request.socket.remoteAddress) && isLoopbackName(hostName(host)) && !forwarded
  )
}

const COUNTERS = {
  updates: 'Updates that came in.',
  deliveries: 'Updates handed to clients.',
  duplicates: 'Repeats of an id within the window.',
  refused: 'Refusals by the gate.',
  ignored: 'Control updates that could not be understood.',
  thrown: 'Components that threw.',
  loops: 'Updates dropped at the hop limit.',
  opened: 'Sessions opened.',
  resumed: 'Sessions taken up again.',
  ended: 'Sessions ended.',
  gaps: 'Gaps told to sessions.',
  overflows: 'Outboxes that reached their limit.',
  questions: 'Questions put to clients.',
} as const

/** Everything that a hub counts, as Prometheus reads it. */
function metricsText({ hub, bridges }: Pick<HttpContext, 'hub' | 'bridges'>): string {
  const lines: string[] = []
  for (const [name, help] of Object.entries(COUNTERS)) {
    const value = hub.counters[name as keyof typeof COUNTERS]
    add(lines, `sapwood_${name}_total`, 'counter', help, value)
  }
  add(lines, 'sapwood_sessions', 'gauge', 'Sessions that are kept.', hub.sessions.size)
  add(lines, 'sapwood_history_updates', 'gauge', 'Updates retained.', hub.engine.count)
  add(lines, 'sapwood_history_bytes', 'gauge', 'Bytes retained.', hub.engine.bytes)
  add(lines, 'sapwood_outbox_bytes', 'gauge', 'Bytes that wait for clients.', hub.budget.used)
  add(lines, 'sapwood_bridges', 'gauge', 'Bridges that are open.', bridges.size)
  add(lines, 'sapwood_bridges_opened_total', 'counter', 'Bridges opened.', bridges.opened)
  const { fromBrowsers, fromTargets } = bridges
  const up = 'Bytes that bridges took from browsers.'
  add(lines, 'sapwood_bridge_browser_bytes_total', 'counter', up, fromBrowsers)
  const down = 'Bytes that bridges took from their targets.'
  add(lines, 'sapwood_bridge_target_bytes_total', 'counter', down, fromTargets)
  const memory = process.memoryUsage.rss()
  add(lines, 'process_resident_memory_bytes', 'gauge', 'Resident memory.', memory)
  const { user, system } = process.cpuUsage()
  add(lines, 'process_cpu_seconds_total', 'counter', 'CPU time.', (user + system) / 1e6)
  lines.push('# HELP sapwood_faults_total Mistakes of peers, by code.')
  lines.push('# TYPE sapwood_faults_total counter')
  for (const [code, count] of hub.counters.faults) {
    lines.push(`sapwood_faults_total{code="${code}"} ${count}`)
  }
  return `${lines.join('\n')}\n`
}

function add(lines: string[], name: string, kind: string, help: string, value: number): void {
  lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`, `${name} ${value}`)
}
