/**
 * Chooses among rules by the first bytes (SP-01 to SP-07): looks, waits within limits, and hands the connection to
 * the target of the first rule that says yes. It is a target itself, so what comes out of TLS can be looked at again.
 * Invariant: a connection is handed over once, with every byte that was read of it, or is refused.
 */
import type { Socket } from 'node:net'
import type { Fault, Wheel } from '@sapwood/core'
import type { Matcher } from '@sapwood/wire'
import { decide, rewriteHost } from '@sapwood/wire'
import { refuse } from './refusal.ts'
import type { Looker } from './sniffing.ts'
import { Sniffing } from './sniffing.ts'
import type { SwitchCounters } from './switch-counters.ts'
import type { Switchboard, Target } from './target.ts'

export interface Route {
  readonly match: Matcher
  readonly to: Target
  /** The first request asks for this host instead (SP-06). Later ones of the same connection are not looked at (SP-09). */
  readonly rewrite?: { readonly host: string }
}

export interface Choice {
  /** The first that says yes takes the connection. */
  readonly routes: readonly Route[]
  /** Who takes what no route wants; without it that is refused. */
  readonly otherwise?: Target
  readonly sniff?: {
    /** Bytes that may be looked at. 16 KiB. */
    readonly bytes?: number
    /** Milliseconds that a client may take to show what it wants. 3 s. */
    readonly timeout?: number
  }
}

interface Deps {
  readonly wheel: Wheel
  readonly counters: SwitchCounters
}

export const SNIFF_DEFAULTS: { readonly bytes: number; readonly timeout: number } = {
  bytes: 16 * 1024,
  timeout: 3000,
}

const NOTHING: Uint8Array = new Uint8Array(0)

const NO_ROUTE: Fault = {
  code: 'ROUTE_NOT_FOUND',
  detail: 'no service behind this port serves that; check host and path',
  status: 404,
}

export class Chooser implements Target, Looker, Switchboard {
  readonly wheel: Wheel
  readonly counters: SwitchCounters
  readonly #routes: readonly Route[]
  readonly #otherwise: Target | undefined
  readonly #bytes: number
  readonly #timeout: number
  /** What is decided before the first byte: the server speaks first, or there is nothing to choose from. */
  readonly #atOnce: number | 'more' | 'none'

  constructor({ wheel, counters }: Deps, { routes, otherwise, sniff }: Choice) {
    this.wheel = wheel
    this.counters = counters
    this.#routes = routes
    this.#otherwise = otherwise
    this.#bytes = sniff?.bytes ?? SNIFF_DEFAULTS.bytes
    this.#timeout = sniff?.timeout ?? SNIFF_DEFAULTS.timeout
    this.#atOnce = decide(routes, { bytes: NOTHING, ended: false, late: false })
  }

  take(socket: Socket, replay: Uint8Array = NOTHING): void {
    // whoever takes it has its own; until then nobody else hears of a reset
    socket.on('error', ignore)
    const route = typeof this.#atOnce === 'number' ? this.#routes[this.#atOnce] : undefined
    if (route !== undefined && route.rewrite === undefined) {
      route.to.take(socket, replay, this)
    } else if (this.#atOnce === 'none' && this.#otherwise !== undefined) {
      this.#otherwise.take(socket, replay, this)
    } else {
      const sniffing = new Sniffing(this, socket, replay)
      this.wheel.set(sniffing.timer, this.#timeout)
      if (replay.length > 0) this.look(sniffing)
    }
  }

  refuse(socket: Socket, replay: Uint8Array, fault: Fault): void {
    this.counters.fault(fault.code)
    refuse(socket, replay, fault, this.wheel)
  }

  look(sniffing: Sniffing): void {
    const full = sniffing.length >= this.#bytes
    const late = sniffing.late || full
    const { ended } = sniffing
    if (sniffing.chosen === undefined) {
      const bytes = sniffing.view(this.#bytes)
      const found = decide(this.#routes, { bytes, ended, late })
      if (found === 'more') return
      if (found === 'none') return this.#unmatched(sniffing)
      sniffing.chosen = found
    }
    const route = this.#routes[sniffing.chosen] as Route
    if (route.rewrite === undefined) return this.#hand(sniffing, route.to, sniffing.view())
    const replay = rewriteHost(sniffing.view(), route.rewrite.host)
    if (replay !== 'more') return this.#hand(sniffing, route.to, replay)
    if (!ended && !late) return
    const detail = `the head of the request has to come whole within ${this.#bytes} bytes and ${this.#timeout} ms`
    this.#end(sniffing)
    this.refuse(sniffing.socket, sniffing.view(), {
      code: 'HEADER_INCOMPLETE',
      detail,
      status: 431,
    })
  }

  left(sniffing: Sniffing): void {
    this.#end(sniffing)
    this.counters.left++
  }

  #unmatched(sniffing: Sniffing): void {
    const { socket, ended, length } = sniffing
    if (ended && length === 0) {
      this.left(sniffing)
      socket.destroy()
      return
    }
    this.counters.unmatched++
    if (this.#otherwise !== undefined) return this.#hand(sniffing, this.#otherwise, sniffing.view())
    this.#end(sniffing)
    this.refuse(socket, sniffing.view(), NO_ROUTE)
  }

  #hand(sniffing: Sniffing, target: Target, replay: Uint8Array): void {
    this.#end(sniffing)
    target.take(sniffing.socket, replay, this)
  }

  #end(sniffing: Sniffing): void {
    this.wheel.clear(sniffing.timer)
    sniffing.end()
  }
}

function ignore(): void {}
