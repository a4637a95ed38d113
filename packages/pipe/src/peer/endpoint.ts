/** What the public server and client have alike: one wheel, one directory, hooks, and an answerer that cannot break them. */
import { randomBytes } from 'node:crypto'
import type { Clock, Component, Fault } from '@sapwood/core'
import { Code, reasonOf, SapwoodError, Wheel } from '@sapwood/core'
import type { HandlerContext } from '@sapwood/http'
import { nodeClock } from '@sapwood/net'
import type { Handlers } from '@sapwood/wire'
import { NO_FIELDS } from '@sapwood/wire'
import type { AnswerRule } from '../answer/answer-rules.ts'
import type { ClosableAnswerer } from '../answer/answerer.ts'
import { answerer } from '../answer/answerer.ts'
import type { Answerer, RequestListener } from '../exchange.ts'
import type { StateHooks } from '../hooks/state-hooks.ts'
import { StateReporter } from '../hooks/state-hooks.ts'
import { guardedObserver } from './guarded-observer.ts'
import type { PeerBase, UpdateTaker } from './peer-base.ts'
import { PeerDirectory } from './peer-directory.ts'
import type { PeerObserver } from './peer-observer.ts'
import type { PeerSettings } from './peer-settings.ts'
import { PEER_SETTINGS } from './peer-settings.ts'
import type { TrustMaterial, TrustSource } from './trust-source.ts'
import { fixedTrust } from './trust-source.ts'

/** Who this end is and whom it trusts: a store, or PEM texts. */
export type TrustOption = { readonly trust: TrustSource } | TrustMaterial

export interface EndpointOptions {
  /** Functions by `get_time` or `GET time`, see `answerer`. */
  readonly handlers?: Handlers<HandlerContext>
  /** The URL of an HTTP server of this machine, for what no handler takes. */
  readonly target?: string
  /** What peers may ask; everything that is served, if nothing is said. */
  readonly allow?: readonly AnswerRule[]
  /** In place of handlers, target and rules. */
  readonly answerer?: Answerer
  readonly hooks?: StateHooks
  /** Gets the same as updates on `::pipe/connected` and so on: a controller, for example. */
  readonly states?: Pick<Component, 'update'>
  /** Hears everything that goes on with links; `hooks` besides. */
  readonly observer?: PeerObserver
  /** Milliseconds between two calls of the hook `idle`: 60,000. */
  readonly idle?: number
  /** Times and limits that differ from `PEER_SETTINGS`. */
  readonly settings?: Partial<PeerSettings>
  /** Is somebody of this name expected, though nobody of it was here? */
  readonly known?: (name: string) => boolean
  /**
   * Takes the updates of peers: the `UpdateSessions` of a hub. A server without it refuses them; of a client it stands in place of
   * what `publish` and `subscribe` need.
   */
  readonly updates?: UpdateTaker
  readonly clock?: Clock
  /** The wall clock, in milliseconds. */
  readonly now?: () => number
}

/** The parts of one end. */
export interface Endpoint extends PeerBase {
  /** Of the clock at hand; ends with the endpoint. */
  close(): void
}

/** @throws SapwoodError for key, certificate or authorities that cannot be used. */
export function makeEndpoint(
  role: 'server' | 'client',
  name: string,
  options: EndpointOptions & TrustOption,
): Endpoint {
  const {
    clock = nodeClock,
    now = Date.now,
    hooks,
    states,
    idle,
    observer,
    updates,
    known,
  } = options
  const wheel = new Wheel(clock)
  const settings = { ...PEER_SETTINGS, ...options.settings }
  const reporter = new StateReporter({
    ...(hooks && { hooks }),
    ...(states && { to: states }),
    ...(idle !== undefined && { idle }),
    wheel,
    now,
    onThrow: (hook, thrown) => {
      const detail = `the hook ${hook} threw: ${reasonOf(thrown)}`
      told.fault({ code: 'HOOK_THREW', detail })
    },
  })
  const told = guardedObserver([reporter, ...(observer === undefined ? [] : [observer])])
  const own = options.answerer === undefined ? ownAnswerer(role, wheel, options, told) : undefined
  return {
    trust: 'trust' in options ? options.trust : fixedTrust(options, role, name, now),
    answerer: guarded(options.answerer ?? (own as Answerer), told),
    directory: new PeerDirectory({
      wheel,
      waiting: settings.waiting,
      ...(known && { known }),
    }),
    settings,
    observer: told,
    wheel,
    wall: now,
    instance: randomBytes(16).toString('hex'),
    updates,
    close() {
      own?.close()
      reporter.close()
    },
  }
}

function ownAnswerer(
  role: 'server' | 'client',
  wheel: Wheel,
  { handlers, target, allow }: EndpointOptions,
  observer: PeerObserver,
): ClosableAnswerer {
  return answerer({
    role,
    wheel,
    onBroken: (fault) => observer.fault?.(fault),
    ...(handlers && { handlers }),
    ...(target !== undefined && { target }),
    ...(allow && { allow }),
  })
}

/** A mistake of who answers costs its request, not the link with everybody else's. */
function guarded(answerer: Answerer, observer: PeerObserver): Answerer {
  return {
    request(head, ends, exchange) {
      try {
        return answerer.request(head, ends, exchange)
      } catch (thrown) {
        const fault: Fault =
          thrown instanceof SapwoodError
            ? thrown
            : { code: 'ANSWERER_THREW', detail: reasonOf(thrown), status: 500 }
        observer.fault?.(fault)
        exchange.respond({ status: 500, headers: NO_FIELDS, code: Code.threw }, true)
        return new Ignored((bytes) => exchange.took(bytes))
      }
    },
  }
}

/** Hears the rest of a request that nobody wants. */
class Ignored implements RequestListener {
  readonly #took: (bytes: number) => void

  constructor(took: (bytes: number) => void) {
    this.#took = took
  }

  data(part: Uint8Array): void {
    this.#took(part.length)
  }

  ended(): void {}
  drained(): void {}
  failed(): void {}
}
