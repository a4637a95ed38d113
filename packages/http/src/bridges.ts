/**
 * The bridge for browsers (OR-01, OR-02, OR-08): which destinations may be dialled for whom, and how many bridges there
 * may be. It is off unless destinations are listed.
 * Invariant: nothing is dialled but a destination that stands in the list, as it stands there.
 */
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Principal } from '@sapwood/core'
import { reasonOf, SapwoodError } from '@sapwood/core'
import type { Hub } from '@sapwood/hub'
import { isMeant } from '@sapwood/hub'
import type { Destination } from '@sapwood/wire'
import { destinationFault, formatDestination, parseDestination } from '@sapwood/wire'
import type { BridgeHost } from './bridge.ts'
import { Bridge } from './bridge.ts'
import { CLOSE_CODES } from './farewell.ts'
import type { HttpSettings } from './settings.ts'
import { decodeSegment } from './target.ts'

/** One destination of the list. */
export interface BridgeRule {
  /** `host:port`, or `[address]:port` for IPv6. */
  readonly to: string
  /** Who may: `anyone`, `signed-in`, or a principal's id in which `*` stands for anything. `signed-in`. */
  readonly who?: string
}

/** Why there is no bridge: the close frame that says so, and the code under which it is counted. */
export interface BridgeRefusal {
  readonly close: number
  readonly reason: string
  readonly code: string
}

/** Refused for good; the reason is the code that Orbited gave (OR-08). */
const REFUSED = 4003
const NOT_ALLOWED: BridgeRefusal = { close: REFUSED, reason: '106', code: 'BRIDGE_NOT_ALLOWED' }
const UNREACHABLE: BridgeRefusal = { close: REFUSED, reason: '108', code: 'BRIDGE_UNREACHABLE' }
const TOO_SLOW: BridgeRefusal = { close: REFUSED, reason: '104', code: 'BRIDGE_TIMEOUT' }
const FULL: BridgeRefusal = { close: CLOSE_CODES.full, reason: 'full', code: 'LIMIT_BRIDGES' }
const FULL_HERE: BridgeRefusal = { ...FULL, code: 'LIMIT_BRIDGES_PER_ADDRESS' }
const DRAINING: BridgeRefusal = { close: CLOSE_CODES.drain, reason: 'drain', code: 'DRAINING' }

const PREFIX = '/tcp/'

/** What happened to a dial: a connected socket or why there is none. */
export type Dialled = (result: Socket | BridgeRefusal) => void

export class Bridges implements BridgeHost {
  /** Bridges that were opened, and the bytes that went over them. */
  opened = 0
  fromBrowsers = 0
  fromTargets = 0
  readonly heartbeat: BridgeHost['heartbeat']
  readonly idle: number
  readonly message: number
  readonly #hub: Hub
  readonly #settings: HttpSettings['bridge']
  readonly #rules: ReadonlyMap<string, readonly string[]>
  readonly #open = new Set<Bridge>()
  readonly #dials = new Set<Socket>()
  readonly #perAddress = new Map<string, number>()
  #held = 0

  /** @throws SapwoodError `BRIDGE_INVALID` for a destination that names no one place. */
  constructor(hub: Hub, settings: HttpSettings, rules: readonly BridgeRule[]) {
    this.#hub = hub
    this.#settings = settings.bridge
    this.#rules = rulesOf(rules)
    this.heartbeat = hub.settings.heartbeat
    this.idle = settings.bridge.idle
    this.message = settings.limits.body
  }

  get wheel(): BridgeHost['wheel'] {
    return this.#hub.wheel
  }

  /** Bridges that are open. */
  get size(): number {
    return this.#open.size
  }

  /** Is this raw path one of the bridge's? */
  serves(path: string): boolean {
    return this.#rules.size > 0 && path.startsWith(PREFIX)
  }

  /**
   * Dials what `path` names for `principal`, if that may be, and calls `dialled` once. Returns what gives up.
   * @param address where the browser is, for limits.
   */
  dial(path: string, principal: Principal, address: string, dialled: Dialled): () => void {
    const place = placeOf(path)
    const refusal = this.#refusal(place, principal, address)
    if (refusal !== undefined || place === undefined) {
      this.#refuse(refusal ?? NOT_ALLOWED, dialled)
      return () => undefined
    }
    const release = this.#hold(address)
    const socket = connect({ ...place, noDelay: true, keepAlive: true, allowHalfOpen: true })
    this.#dials.add(socket)
    const stop = this.wheel.after(this.#settings.connect, () => fail(TOO_SLOW, ''))
    const settle = (): boolean => {
      stop()
      return this.#dials.delete(socket)
    }
    const fail = (refused: BridgeRefusal, detail: string): void => {
      if (!settle()) return
      socket.destroy()
      // what the operator listed is not there: that is for the log, what a page may not is for the counters only
      this.#hub.log.warn({ code: refused.code, to: formatDestination(place), detail }, 'no bridge')
      this.#refuse(refused, dialled)
    }
    socket.once('close', release)
    socket.on('error', (error) => fail(UNREACHABLE, reasonOf(error)))
    socket.once('connect', () => {
      if (settle()) dialled(socket)
    })
    return () => {
      if (settle()) socket.destroy()
    }
  }

  /** Splices the two. */
  open(browser: Duplex, target: Socket): Bridge {
    this.opened++
    const bridge = new Bridge(this, browser, target)
    this.#open.add(bridge)
    return bridge
  }

  moved(fromBrowser: number, fromTarget: number): void {
    this.fromBrowsers += fromBrowser
    this.fromTargets += fromTarget
  }

  fault(code: string): void {
    this.#hub.counters.fault(code)
  }

  over(bridge: Bridge): void {
    this.#open.delete(bridge)
  }

  /** Ends all bridges and dials now. */
  close(): void {
    for (const socket of this.#dials) socket.destroy()
    for (const bridge of this.#open) bridge.shut()
  }

  #refusal(
    place: Destination | undefined,
    principal: Principal,
    address: string,
  ): BridgeRefusal | undefined {
    const { connections, connectionsPerAddress } = this.#settings
    if (place === undefined || !this.#allows(place, principal)) return NOT_ALLOWED
    if (this.#hub.draining) return DRAINING
    if (connections > 0 && this.#held >= connections) return FULL
    const here = this.#perAddress.get(address) ?? 0
    return connectionsPerAddress > 0 && here >= connectionsPerAddress ? FULL_HERE : undefined
  }

  #allows(place: Destination, principal: Principal): boolean {
    const those = this.#rules.get(formatDestination(place))
    if (those === undefined) return false
    return principal.trusted || those.some((who) => isMeant(who, principal))
  }

  #refuse(refusal: BridgeRefusal, dialled: Dialled): void {
    this.fault(refusal.code)
    dialled(refusal)
  }

  /** Counts one more. Returns its undo. */
  #hold(address: string): () => void {
    const { connectionsPerAddress } = this.#settings
    this.#held++
    if (connectionsPerAddress === 0) {
      return () => {
        this.#held--
      }
    }
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1)
    return () => {
      this.#held--
      const left = (this.#perAddress.get(address) ?? 1) - 1
      if (left > 0) this.#perAddress.set(address, left)
      else this.#perAddress.delete(address)
    }
  }
}

function rulesOf(rules: readonly BridgeRule[]): ReadonlyMap<string, readonly string[]> {
  const map = new Map<string, readonly string[]>()
  for (const { to, who = 'signed-in' } of rules) {
    const place = parseDestination(to)
    if (place === undefined) {
      throw new SapwoodError('BRIDGE_INVALID', `the destination "${to}" ${destinationFault(to)}`)
    }
    map.set(formatDestination(place), [...(map.get(formatDestination(place)) ?? []), who])
  }
  return map
}

function placeOf(path: string): Destination | undefined {
  const text = decodeSegment(path.slice(PREFIX.length))
  return text === undefined ? undefined : parseDestination(text)
}
