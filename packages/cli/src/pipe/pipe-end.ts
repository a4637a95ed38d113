/**
 * What every end of a pipe has: trust, what answers, peers, what is counted. Whoever asks the peers, a front or a hub, is
 * put beside it.
 * Invariant: what was kept is closed in the reverse order of its start, the peers among it, whatever else failed.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Wheel } from '@sapwood/core'
import type { Log } from '@sapwood/hub'
import { nodeClock } from '@sapwood/hub'
import { closeAll, formatAddress } from '@sapwood/net'
import type {
  Answerer,
  EndpointOptions,
  PeerObserver,
  PipeClient,
  PipeServer,
  PipeServerOptions,
} from '@sapwood/pipe'
import {
  answerer,
  countingObserver,
  isCertified,
  JOIN_PROTOCOL,
  JoinConnections,
  JoinDesk,
  measuredAnswerer,
  PipeCounters,
  pipeClient,
  pipeServer,
  StatsdTap,
  TrustStore,
} from '@sapwood/pipe'
import { findHandler, handlerName } from '@sapwood/wire'
import type { Values } from '../settings/table.ts'
import { linkLog } from './link-log.ts'
import type { PipePlan } from './pipe-plan.ts'

/** What a target's answers are counted as. */
const TARGET = 'target'

/** What a listener has besides, on behalf of what it is a part of. */
export interface ServerExtras
  extends Pick<PipeServerOptions, 'listen' | 'reserved' | 'states' | 'updates'> {
  /** Hears of links, as the log does. */
  readonly observer?: PeerObserver
  /** Answers what it wants of requests, and hands on others. */
  readonly answers?: (others: Answerer) => Answerer
}

/** @example const end = new PipeEnd(plan, values, log, wheel); const server = await end.server({}) */
export class PipeEnd {
  readonly counters: PipeCounters = new PipeCounters()
  readonly #plan: PipePlan
  readonly #values: Values
  readonly #log: Log
  readonly #wheel: Wheel
  /** Writes what the log is to say of links and of answers that break off. */
  readonly #told: PeerObserver
  /** In the order of their start. */
  readonly #opened: { close(): unknown }[] = []

  constructor(plan: PipePlan, values: Values, log: Log, wheel: Wheel) {
    this.#plan = plan
    this.#values = values
    this.#log = log
    this.#wheel = wheel
    this.#told = linkLog(log, nodeClock)
  }

  /** @throws SapwoodError those of `TrustStore.open`, `PORT_IN_USE` and whatever else keeps it from listening. */
  async server({ observer, answers, ...extras }: ServerExtras = {}): Promise<PipeServer> {
    const { dir, name, listen } = this.#plan
    const endpoint = await this.#endpoint(observer)
    const { answerer } = endpoint
    const server = await pipeServer({
      ...endpoint,
      ...(answers && answerer && { answerer: answers(answerer) }),
      ...listen,
      ...extras,
      name,
      tickets: join(dir, `${name}.tickets`),
      others: this.#joins(),
    })
    this.keep({ close: () => server.close(0) })
    return server
  }

  /** @throws SapwoodError those of `TrustStore.open`. */
  async client(): Promise<PipeClient> {
    const { name, servers, serverName } = this.#plan
    const client = await pipeClient({
      ...(await this.#endpoint()),
      name,
      server: servers.map(formatAddress),
      serverName,
      reconnect: {
        least: this.#values['pipe.retry_least'],
        highest: this.#values['pipe.retry_most'],
      },
    })
    this.keep({ close: () => client.close(0) })
    return client
  }

  /** Has `part` closed with this end. */
  keep<Part extends { close(): unknown }>(part: Part): Part {
    this.#opened.push(part)
    return part
  }

  /** @throws what failed to close first, after everything was closed. */
  close(): Promise<void> {
    return closeAll(this.#opened.splice(0).toReversed())
  }

  async #endpoint(observer?: PeerObserver): Promise<EndpointOptions & { trust: TrustStore }> {
    const { hooks } = this.#plan
    const values = this.#values
    const trust = await this.#trust()
    this.#statsd()
    const observers = [this.#told, ...(observer === undefined ? [] : [observer])]
    return {
      trust,
      answerer: this.#answerer(),
      hooks,
      observer: countingObserver(this.counters, nodeClock, observers),
      idle: values['pipe.idle'],
      settings: {
        heartbeat: values['pipe.heartbeat'],
        heartbeatTimeout: values['pipe.heartbeat_timeout'],
        hold: values['pipe.resume'],
        drain: values['drain.limit'],
        connections: values['pipe.connections'],
        perAddress: values['pipe.connections_per_address'],
        perName: values['pipe.connections_per_name'],
      },
      known: (name) => isExpected(this.#plan, name),
    }
  }

  async #trust(): Promise<TrustStore> {
    const { dir, name, role } = this.#plan
    const trust = this.keep(await TrustStore.open({ dir, name, role, wheel: this.#wheel }))
    trust.onFault(({ code, detail }) =>
      this.#log.warn({ code, reason: detail }, 'changed files are not taken up'),
    )
    trust.onChange((change) => this.#log.info({ ...change }, 'changed files are taken up'))
    return trust
  }

  #statsd(): void {
    const { statsd } = this.#plan
    if (statsd === undefined) return
    const prefix = this.#values['pipe.statsd_prefix']
    this.keep(new StatsdTap(this.counters, { to: statsd, prefix, wheel: this.#wheel }))
  }

  #answerer(): NonNullable<EndpointOptions['answerer']> {
    const { role, handlers, target } = this.#plan
    const values = this.#values
    const answers = this.keep(
      answerer({
        role,
        wheel: this.#wheel,
        traced: values['pipe.traceback'],
        onBroken: (fault) => this.#told.fault?.(fault),
        limits: { body: values['limits.body'], bodyTime: values['limits.body_time'] },
        ...(handlers && { handlers }),
        ...(target !== undefined && { target }),
        ...(values['pipe.rule'].length > 0 && { allow: values['pipe.rule'] }),
      }),
    )
    const nameOf = (method: string, noun: string): string =>
      target === undefined || (handlers && findHandler(handlers, method, noun)) !== undefined
        ? handlerName(method, noun)
        : TARGET
    return measuredAnswerer(answers, this.counters, nodeClock, nameOf)
  }

  /** Whoever was invited is served where the key of the CA is. */
  #joins(): NonNullable<PipeServerOptions['others']> {
    const { dir } = this.#plan
    if (!existsSync(join(dir, 'ca.key.pem'))) return {}
    const desk = new JoinDesk({
      dir,
      clock: nodeClock,
      onAttempt: ({ address, name, reason }) => {
        if (name === undefined || reason !== undefined) {
          this.counters.joinsRefused++
          this.#log.warn({ address, reason }, 'somebody could not join')
        } else {
          this.counters.joined++
          this.#log.info({ address, name }, 'joined')
        }
      },
    })
    const joins = this.keep(new JoinConnections(desk))
    return { [JOIN_PROTOCOL]: (socket) => joins.take(socket) }
  }
}

/** Is there a certificate of that name, though nobody of that name was here? Most names are in lower case there. */
function isExpected({ dir, name, role }: PipePlan, asked: string): boolean {
  if (role === 'client') return false
  return [...new Set([asked, asked.toLowerCase()])].some(
    (each) => each !== name && isCertified(dir, each),
  )
}
