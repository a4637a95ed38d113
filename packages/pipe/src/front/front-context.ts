/** What the requests of one front share. */
import type { Fault, Wheel } from '@sapwood/core'
import { countFault as countCode } from '@sapwood/core'
import type { Headers, HttpRequest } from '@sapwood/http'
import type { RequestHead } from '@sapwood/wire'
import type { Asker } from '../exchange.ts'
import type { FrontCounters } from './front-options.ts'
import { FRONT_DEFAULTS } from './front-options.ts'
import type { FrontTarget } from './front-target.ts'
import type { RequestFields } from './request-fields.ts'
import { hopsOf, traceOf } from './request-fields.ts'

/** What waits for the end of a turn of the event loop. */
export interface Gathered {
  /** Is there still something to write? What came in one piece has been written with its end. */
  readonly waits: boolean
  /** Whatever this turn has brought is here. */
  flush(): void
}

/** Of `FrontOptions`, what is for every request alike. */
export interface ContextOptions {
  readonly asker: Asker
  readonly wheel: Wheel
  readonly wait?: number | undefined
  readonly timeout?: number | undefined
  readonly bodyTime?: number | undefined
  /** Bytes of a request's body; 0 for no limit. */
  readonly stream?: number | undefined
  /** The headers that let a page read the answer. */
  readonly cors: (head: RequestFields) => Headers
}

export class FrontContext {
  readonly asker: Asker
  readonly wheel: Wheel
  readonly wait: number
  readonly timeout: number
  /** How long a caller may send or take nothing, in milliseconds. */
  readonly patience: number
  /** Bytes that the body of a request may have. */
  readonly most: number
  readonly cors: (head: RequestFields) => Headers
  readonly counters: FrontCounters = { requests: 0, open: 0, upgrades: 0, faults: new Map() }
  /** Connections are to end with the answer that they wait for. */
  isDraining = false
  #gathered: Gathered[] = []
  /** Most answers are whole by now, and need no end of a turn to be waited for. */
  readonly #look: () => void = () => {
    this.#gathered = this.#gathered.filter(waits)
    if (this.#gathered.length > 0) setImmediate(this.#flush)
  }
  readonly #flush: () => void = () => {
    const all = this.#gathered
    this.#gathered = []
    for (const each of all) each.flush()
  }

  constructor({ asker, wheel, wait, timeout, bodyTime, stream, cors }: ContextOptions) {
    this.asker = asker
    this.wheel = wheel
    this.wait = wait ?? FRONT_DEFAULTS.wait
    this.timeout = timeout ?? FRONT_DEFAULTS.timeout
    this.patience = bodyTime ?? FRONT_DEFAULTS.limits.bodyTime
    this.most = stream || Number.POSITIVE_INFINITY
    this.cors = cors
  }

  /** Has `flush` called at the end of this turn. */
  gather(gathered: Gathered): void {
    if (this.#gathered.push(gathered) === 1) process.nextTick(this.#look)
  }
}

function waits(gathered: Gathered): boolean {
  return gathered.waits
}

/** A request that was found good. */
export interface Inquiry {
  readonly target: FrontTarget
  readonly fields: RequestFields
  readonly isProxied: boolean
}

/** A body of up to so many bytes has come before the deadline that travels with its head, or never will. */
const SOON = 65_536

/** The head that the peer gets. The deadline travels unless a long body may put it off again and again. */
export function requestHead(
  request: HttpRequest,
  { target, fields }: Inquiry,
  timeout: number,
): RequestHead {
  const isLong = fields.hasBody && !(Number(fields['content-length'] ?? Number.NaN) <= SOON)
  return {
    method: request.method ?? 'GET',
    target: target.tail,
    headers: fields.fields,
    timeout: isLong ? 0 : Math.ceil(timeout),
    trace: traceOf(fields),
    hops: hopsOf(fields),
  }
}

export function countFault({ counters: { faults } }: FrontContext, { code }: Fault): void {
  countCode(faults, code)
}
