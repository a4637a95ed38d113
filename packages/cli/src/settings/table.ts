/**
 * Every setting, once. Defaults, names in the file, in the environment and on the command line, their static types,
 * `config init`, `config show` and the help texts all derive from these rows.
 * Invariant: a key is `section.name`, and its environment name is `SAPWOOD_SECTION_NAME`.
 */
import type { KindName, Traits, ValueOfKind } from './kinds.ts'
import { SNIFF_DEFAULT } from './kinds.ts'

/** What is true of few settings only. */
interface Extras extends Omit<Traits, 'kind'> {
  /** Its flag, of commands that have it: of two sections each may have a `--key`. All others are reached by `--set`. */
  readonly flag?: string
}

/** Kind, default as it would stand in the file, help. */
type Row = readonly [KindName, Fallback, string, Extras?]

type Fallback = string | number | boolean | readonly never[] | Readonly<Record<string, unknown>>

const ROWS = {
  'hub.host': ['text', '127.0.0.1', 'address to listen on', { flag: '--host <address>' }],
  'hub.port': [
    'integer',
    8787,
    'port to listen on; 0 picks a free one',
    { flag: '--port <number>', least: 0, most: 65535 },
  ],
  'hub.key': [
    'keys',
    [],
    'who sends this key may do everything; repeatable',
    { flag: '--key <key>', secret: true },
  ],
  'hub.public': [
    'patterns',
    [],
    'anyone may subscribe here, no more; repeatable',
    { flag: '--public <pattern>' },
  ],
  'hub.line': [
    'address',
    'none',
    'takes lines `path; message` over TCP and UDP here, or on unix:PATH',
    { flag: '--line <address>', none: true },
  ],
  'hub.pipe': [
    'address',
    'none',
    'takes the pipes of clients here; they are asked at /client/NAME/…, as browsers are',
    { flag: '--pipe <address>', none: true },
  ],
  'hub.tls_cert': [
    'file',
    'none',
    'certificate with its chain, PEM: the hub serves TLS too, on the same ports',
    { flag: '--tls-cert <file>', none: true },
  ],
  'hub.tls_key': [
    'file',
    'none',
    'private key of the certificate, PEM',
    { flag: '--tls-key <file>', none: true },
  ],
  'hub.tls_ca': [
    'file',
    'none',
    'whose certificates clients may show, PEM; cert: in a rule names their holders',
    { flag: '--tls-ca <file>', none: true },
  ],
  'http.origins': ['origins', [], "origins whose pages may call; empty for the hub's own"],
  'http.trusted_proxies': [
    'networks',
    [],
    'whose X-Forwarded-For names the peer for limits and logs',
  ],
  'gate.rule': ['rules', [], 'who may do what where'],
  'history.age': ['duration', '120s', 'how long an update is kept'],
  'history.count': ['integer', 100000, 'how many updates are kept in all'],
  'history.path_count': ['integer', 10000, 'how many updates of one path are kept'],
  'history.bytes': ['size', '64MiB', 'how much all kept updates may measure'],
  'session.expire': ['duration', '60s', 'how long a session without a connection is kept'],
  'session.outbox': ['size', '1MiB', 'how much may wait for one slow subscriber'],
  'session.policy': ['policies', [], 'what happens on some paths when a subscriber is too slow'],
  'poll.bundle': [
    'duration',
    '250ms',
    'how long a poll collects after its first update',
    { least: 0 },
  ],
  'poll.hold': ['duration', '30s', 'how long a poll waits for something to tell'],
  'poll.expire': ['duration', '30s', 'how long a session is kept after its last poll'],
  'heartbeat.interval': ['duration', '25s', 'how often a quiet subscriber hears from the hub'],
  'heartbeat.timeout': ['duration', '10s', 'how long a connection may stay silent beyond that'],
  'ask.wait': [
    'duration',
    '20s',
    'how long a question waits for a client that is away',
    { least: 0 },
  ],
  'ask.timeout': ['duration', '30s', 'how long a question waits for its answer'],
  'line.length': ['size', '64kB', 'a line'],
  'line.idle': [
    'duration',
    '60s',
    'how long a connection may take to say its first line, and an address over UDP be silent',
  ],
  'line.connections': ['integer', 10000, 'connections for lines; 0 is no limit', { least: 0 }],
  'line.connections_per_address': [
    'integer',
    1000,
    'connections for lines of one address; 0 is no limit',
    { least: 0 },
  ],
  'line.addresses': ['integer', 1024, 'addresses that follow something over UDP'],
  'line.get': ['boolean', false, 'takes `GET /path;message` as a line, too'],
  'limits.body': ['size', '1MiB', 'an update, a line of NDJSON, a question to a browser'],
  'limits.stream': ['size', 'none', 'a body that streams through', { none: true }],
  'limits.path': ['integer', 512, 'bytes of a path; 512 at most', { most: 512 }],
  'limits.patterns': ['integer', 256, 'subscriptions of one session'],
  'limits.outbox': ['size', '256MiB', 'what may wait for all subscribers together'],
  'limits.sessions': ['integer', 0, 'sessions in all; 0 is no limit', { least: 0 }],
  'limits.sessions_per_address': [
    'integer',
    0,
    'sessions of one address; 0 is no limit',
    { least: 0 },
  ],
  'limits.header_time': ['duration', '10s', 'how long the head of a request may take'],
  'limits.body_time': ['duration', '60s', 'how long the body of a request may take'],
  'bridge.connect': ['duration', '10s', 'how long a destination may take to be connected'],
  'bridge.idle': [
    'duration',
    '1h',
    'how long nothing may move over a bridge; 0 is no limit',
    { least: 0 },
  ],
  'bridge.connections': ['integer', 1000, 'bridges in all; 0 is no limit', { least: 0 }],
  'bridge.connections_per_address': [
    'integer',
    0,
    'bridges of one address; 0 is no limit',
    { least: 0 },
  ],
  'bridge.allow': ['bridges', [], 'what pages may have dialled for them, and who may'],
  'edge.listen': ['address', 'none', 'a port that many services share', { none: true }],
  'edge.sniff': [
    'sniff',
    SNIFF_DEFAULT as Fallback,
    'how much, and how long, a connection is looked at',
  ],
  'edge.otherwise': ['target', 'close', 'where goes what no route wants'],
  'edge.connect': ['duration', '10s', 'how long a service may take to be connected'],
  'edge.idle': [
    'duration',
    '1h',
    'how long nothing may move between client and service; 0 is no limit',
    { least: 0 },
  ],
  'edge.connections': ['integer', 0, 'connections in all; 0 is no limit', { least: 0 }],
  'edge.connections_per_address': [
    'integer',
    0,
    'connections of one address; 0 is no limit',
    { least: 0 },
  ],
  'edge.route': ['routes', [], 'where connections go; the first that fits counts'],
  'pipe.dir': ['file', './pki', 'where the certificates are', { flag: '--dir <dir>' }],
  'pipe.name': [
    'name',
    'server',
    'who this end is: its certificate is DIR/NAME.crt.pem; a client has to say it',
    { flag: '--name <name>' },
  ],
  'pipe.listen': [
    'address',
    '127.0.0.1:8789',
    'where a server listens for clients',
    { flag: '--listen <address>' },
  ],
  'pipe.http': [
    'address',
    '127.0.0.1:8788',
    'where HTTP comes in for the other end, or on unix:PATH; of a client by default 127.0.0.1:8790',
    { flag: '--http <address>', none: true },
  ],
  'pipe.server': [
    'servers',
    [],
    'servers of a client, tried in turn; empty for 127.0.0.1:8789; repeatable',
    { flag: '--server <address>' },
  ],
  'pipe.server_name': [
    'name',
    'server',
    "what a server's certificate has to be for",
    { flag: '--server-name <name>' },
  ],
  'pipe.join': [
    'text',
    'none',
    'a token of sapwood pki invite: gets a certificate where there is none yet',
    { flag: '--join <token>', none: true, secret: true },
  ],
  'pipe.handlers': [
    'file',
    'none',
    'a module with functions that answer, such as get_time',
    { flag: '--handlers <file>', none: true },
  ],
  'pipe.target': [
    'url',
    'none',
    'an HTTP server that answers: http://HOST:PORT or unix:PATH',
    { flag: '--target <url>', none: true },
  ],
  'pipe.hooks': [
    'file',
    'none',
    'a module with functions that are told who comes and goes, such as connected',
    { flag: '--hooks <file>', none: true },
  ],
  'pipe.resolver': [
    'file',
    'none',
    'of a server: a module with a function lookup, from the name in a URL to that of a client',
    { flag: '--resolver <file>', none: true },
  ],
  'pipe.key': [
    'keys',
    [],
    'who sends this key to the HTTP front may ask; needed beyond loopback; repeatable',
    { flag: '--key <key>', secret: true },
  ],
  'pipe.front_host': [
    'hosts',
    [],
    'names beside loopback ones that the HTTP front answers to; repeatable',
    { flag: '--front-host <name>' },
  ],
  'pipe.traceback': ['boolean', false, 'askers see the stack of what a handler threw'],
  'pipe.heartbeat': ['duration', '5s', 'how often each end hears from the other'],
  'pipe.heartbeat_timeout': ['duration', '10s', 'how long a heartbeat may stay unanswered'],
  'pipe.resume': ['duration', '60s', 'how long requests wait for a link that was cut'],
  'pipe.retry_least': [
    'duration',
    '0ms',
    'the least between two attempts to connect, before jitter',
    { least: 0 },
  ],
  'pipe.retry_most': ['duration', '5s', 'the most that jitter adds to that'],
  'pipe.connections': ['integer', 10000, 'connections of clients to a server'],
  'pipe.connections_per_address': [
    'integer',
    0,
    'connections of clients of one address; 0 is no limit',
    { least: 0 },
  ],
  'pipe.connections_per_name': ['integer', 64, 'processes of one name that are connected at once'],
  'pipe.idle': [
    'duration',
    '60s',
    'how often the hook idle is called while nobody is connected; 0 is once',
    { least: 0 },
  ],
  'pipe.statsd': [
    'address',
    '127.0.0.1:8125',
    'a statsd that hears once a second, over UDP, what was counted',
    { none: true },
  ],
  'pipe.statsd_prefix': ['text', 'sapwood.', 'what stands before each name there', { none: true }],
  'pipe.rule': ['peer rules', [], 'what peers may ask here; without a rule, all that is served'],
  'drain.limit': ['duration', '10s', 'how long a stop may take', { least: 0 }],
  'log.level': ['level', 'info', 'the least that is logged: debug, info, warn or error'],
  'log.updates': ['boolean', false, 'every update as a line `path; message` on stdout'],
} as const

type Rows = typeof ROWS

/** `section.name` of every setting. */
export type SettingKey = keyof Rows

/** The checked values by key; durations in milliseconds, sizes in bytes. */
export type Values = { readonly [Key in SettingKey]: ValueOfKind[Rows[Key][0]] }

export interface Setting extends Traits {
  readonly key: SettingKey
  readonly flag?: string
  /** As it would stand in the file. */
  readonly fallback: Row[1]
  readonly help: string
}

export const SETTINGS: readonly Setting[] = Object.entries<Row>(ROWS).map(
  ([key, [kind, fallback, help, extras]]) => ({
    key: key as SettingKey,
    kind,
    fallback,
    help,
    ...extras,
  }),
)

/** What the sections of the file are about. */
export const SECTIONS: Readonly<Record<string, string>> = {
  hub: 'where the hub listens, and who may use it',
  http: 'calls from web pages and through proxies',
  gate: 'rights beyond the key and the public patterns',
  history: 'what is kept for those who come back; the limit reached first counts',
  session: 'one client across its reconnects',
  poll: 'long polling',
  heartbeat: 'noticing lost connections',
  ask: 'questions to clients',
  line: 'lines over TCP and UDP; where they come in is line in [hub]',
  limits: 'what one request, session or address may use',
  bridge: 'connections of pages to services, by WebSocket at /tcp/HOST:PORT',
  edge: 'many services on one port, told apart by the first bytes of a connection',
  pipe: 'sapwood pipe server and sapwood pipe client; of a hub, where pipe in [hub] says so',
  drain: 'stopping',
  log: 'logs on stdout',
}

/** All settings of a section. */
export function keysOf(section: string): readonly SettingKey[] {
  return SETTINGS.flatMap(({ key }) => (key.startsWith(`${section}.`) ? [key] : []))
}

/** @example environmentName('poll.hold') // 'SAPWOOD_POLL_HOLD' */
export function environmentName(key: string): string {
  return `SAPWOOD_${key.replace('.', '_').toUpperCase()}`
}

/** @example flagName('--port <number>') // '--port' */
export function flagName(flag: string): string {
  return flag.split(' ', 1)[0] ?? flag
}
