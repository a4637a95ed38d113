/** From settings to what `@sapwood/hub` and `@sapwood/http` take: the one place that knows both vocabularies. */
import type { HttpOptions } from '@sapwood/http'
import type { HubOptions } from '@sapwood/hub'
import type { Values } from './settings/table.ts'

type Deps = Required<Pick<HubOptions, 'log'>>

export function hubOptions(values: Values, { log }: Deps): HubOptions {
  return {
    log,
    public: values['hub.public'],
    rules: values['gate.rule'],
    history: {
      age: values['history.age'],
      count: values['history.count'],
      pathCount: values['history.path_count'],
      bytes: values['history.bytes'],
    },
    session: {
      expire: values['session.expire'],
      outbox: values['session.outbox'],
      policies: values['session.policy'],
    },
    heartbeat: { interval: values['heartbeat.interval'], timeout: values['heartbeat.timeout'] },
    limits: {
      path: values['limits.path'],
      patterns: values['limits.patterns'],
      outbox: values['limits.outbox'],
      sessions: values['limits.sessions'],
      sessionsPerAddress: values['limits.sessions_per_address'],
    },
    ask: { wait: values['ask.wait'], timeout: values['ask.timeout'] },
  }
}

/** The browser SDK, served at `/sapwood.js`. */
const SDK = new URL(import.meta.resolve('@sapwood/client/browser'))

export function httpOptions(values: Values): HttpOptions {
  return {
    assets: { sdk: SDK },
    host: values['hub.host'],
    port: values['hub.port'],
    keys: values['hub.key'],
    trustedProxies: values['http.trusted_proxies'],
    origins: values['http.origins'],
    poll: {
      bundle: values['poll.bundle'],
      hold: values['poll.hold'],
      expire: values['poll.expire'],
    },
    limits: {
      body: values['limits.body'],
      stream: values['limits.stream'],
      headerTime: values['limits.header_time'],
      bodyTime: values['limits.body_time'],
    },
    bridge: {
      allow: values['bridge.allow'],
      connect: values['bridge.connect'],
      idle: values['bridge.idle'],
      connections: values['bridge.connections'],
      connectionsPerAddress: values['bridge.connections_per_address'],
    },
    drain: { limit: values['drain.limit'] },
  }
}
