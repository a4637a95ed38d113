/**
 * What a program may be told of the links of this process (RP-28 to RP-30): functions of a module, each of which may be
 * missing, and the same as updates on control paths, for whoever subscribes.
 * Invariant: a hook that throws, or takes its time, hinders nothing; nor does who gets the updates.
 */
import type { Component, Fault, Timed } from '@sapwood/core'
import { jsonMessage, NO_ID, SYSTEM, Timer, type Wheel } from '@sapwood/core'

/** Dates are of the wall clock. */
export interface StateHooks {
  /**
   * A client has a link.
   * @param attempts failed ones before it, since the last link.
   * @param lastDisconnected when that broke; undefined at first.
   */
  readonly connected?: (
    attempts: number,
    lastDisconnected: Date | undefined,
    server: string,
  ) => unknown
  /**
   * A client could not have a link, or lost it.
   * @param attempts failed ones until now, since the last link: 0 for its loss.
   */
  readonly connect_failed?: (
    attempts: number,
    lastDisconnected: Date | undefined,
    fault: Fault,
    server: string,
  ) => unknown
  /** Nobody is connected to this server: at the start, and each minute (`pipe.idle`). @param seconds since then. */
  readonly idle?: (since: Date, seconds: number) => unknown
  /** Somebody has connected to this server. @param count how many are now. */
  readonly connection_added?: (name: string, count: number) => unknown
  readonly connection_removed?: (name: string, count: number) => unknown
  /** A connection with a peer begins, at either end, before anything is asked on it. */
  readonly start?: (peer: string) => unknown
  /** It is over, whatever ended it. */
  readonly stop?: (peer: string, reason: Fault) => unknown
}

export type HookName = keyof StateHooks

export const HOOK_NAMES: readonly HookName[] = [
  'connected',
  'connect_failed',
  'idle',
  'connection_added',
  'connection_removed',
  'start',
  'stop',
]

/** Where the updates go: `::pipe/connected` and so on. */
export function hookPath(name: HookName): string {
  return `::pipe/${name}`
}

export interface StateReporterOptions {
  readonly hooks?: StateHooks
  /** Gets every change as an update, a controller for example. */
  readonly to?: Pick<Component, 'update'>
  readonly wheel: Wheel
  /** Milliseconds between two calls of `idle`; 0 for none but the first. 60,000. */
  readonly idle?: number
  /** The wall clock, in milliseconds. */
  readonly now?: () => number
  /** A hook threw, or who gets its update. */
  readonly onThrow?: (name: HookName, thrown: unknown) => void
}

const MINUTE = 60_000

/** Keeps count of what the hooks tell. What happens is told to it; see the calls. */
export class StateReporter implements Timed {
  readonly #options: StateReporterOptions
  readonly #now: () => number
  readonly #timer: Timer = new Timer(this)
  readonly #sender: Component = {
    id: NO_ID,
    principal: SYSTEM,
    update: () => undefined,
  }
  #attempts = 0
  #lastDisconnected: Date | undefined
  #count = 0
  #idleSince: number | undefined

  constructor(options: StateReporterOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
  }

  /** Peers that are connected now. */
  get count(): number {
    return this.#count
  }

  /** A server listens, and nobody is there yet. */
  listening(): void {
    this.#wait()
  }

  /** A client has a link. */
  connected(server: string): void {
    const attempts = this.#attempts
    const last = this.#lastDisconnected
    this.#attempts = 0
    this.#tell('connected', [attempts, last, server], {
      attempts,
      lastDisconnected: last?.toISOString(),
      server,
    })
  }

  /** An attempt of a client failed. */
  failed(server: string, fault: Fault): void {
    this.#attempts++
    this.#connectFailed(server, fault)
  }

  /** The link of a client broke, in good order or not. */
  lost(server: string, fault: Fault): void {
    this.#lastDisconnected = new Date(this.#now())
    this.#connectFailed(server, fault)
  }

  /** Somebody has connected to this server. */
  added(name: string): void {
    this.#count++
    this.#idleSince = undefined
    this.#options.wheel.clear(this.#timer)
    this.#tell('connection_added', [name, this.#count], { peer: name, count: this.#count })
  }

  removed(name: string): void {
    this.#count--
    this.#tell('connection_removed', [name, this.#count], { peer: name, count: this.#count })
    if (this.#count === 0) this.#wait()
  }

  started(peer: string): void {
    this.#tell('start', [peer], { peer })
  }

  stopped(peer: string, reason: Fault): void {
    const { code, detail } = reason
    this.#tell('stop', [peer, plain(reason)], { peer, code, detail })
  }

  close(): void {
    this.#options.wheel.clear(this.#timer)
  }

  expired(): void {
    this.#tellIdle()
  }

  #wait(): void {
    this.#idleSince = this.#now()
    this.#tellIdle()
  }

  #tellIdle(): void {
    if (this.#idleSince === undefined) return
    const since = new Date(this.#idleSince)
    const seconds = Math.round((this.#now() - this.#idleSince) / 1000)
    this.#tell('idle', [since, seconds], { since: since.toISOString(), seconds })
    const { idle = MINUTE, wheel } = this.#options
    if (idle > 0) wheel.set(this.#timer, idle)
  }

  #connectFailed(server: string, fault: Fault): void {
    const attempts = this.#attempts
    const last = this.#lastDisconnected
    const { code, detail } = fault
    const lastDisconnected = last?.toISOString()
    const said = { attempts, lastDisconnected, server, code, detail }
    this.#tell('connect_failed', [attempts, last, plain(fault), server], said)
  }

  #tell(name: HookName, args: readonly unknown[], said: object): void {
    const { hooks, to, onThrow } = this.#options
    const hook = hooks?.[name] as ((...args: readonly unknown[]) => unknown) | undefined
    try {
      const result = hook?.apply(hooks, [...args])
      if (result instanceof Promise) result.catch((thrown) => onThrow?.(name, thrown))
    } catch (thrown) {
      onThrow?.(name, thrown)
    }
    try {
      to?.update(this.#sender, hookPath(name), jsonMessage(said))
    } catch (thrown) {
      onThrow?.(name, thrown)
    }
  }
}

/** A peer's last word has members of its protocol, too. */
function plain({ code, detail, status }: Fault): Fault {
  return { code, detail, ...(status !== undefined && { status }) }
}
