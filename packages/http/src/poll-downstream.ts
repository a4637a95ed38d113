/**
 * A session over long polls. What was sent stays until a later poll confirms it by number, so that an answer that
 * was lost on its way is only sent again (OR-06, DB-19).
 *
 *     state     poll                          news             timer
 *     away      waiting, or answers at once   away             expired: the session ends
 *     waiting   the old one ends empty        bundling         answers empty
 *     bundling  the old one ends empty        bundling         answers
 *
 * Invariant: items are numbered without a hole, also where the session was on another transport between; the
 * position of an answer is one that everything before it was given for; at most one poll waits.
 */
import type { ServerResponse } from 'node:http'
import type { Timed, Update, Wheel } from '@sapwood/core'
import { Timer } from '@sapwood/core'
import type { Downstream, Farewell, Session } from '@sapwood/hub'
import { SOCKET_LIMIT } from '@sapwood/hub'
import { pollAnswer } from '@sapwood/wire'
import { bye } from './farewell.ts'
import type { Headers } from './problem.ts'

export interface PollTimes {
  readonly bundle: number
  readonly hold: number
  readonly expire: number
  /** The hub's heartbeat: a ping is worth an answer only where it comes well before the poll ends by itself. */
  readonly heartbeat: number
}

interface Waiting {
  readonly response: ServerResponse
  readonly headers: Headers
  readonly since: number
}

/** The highest number of each session that has left its long polls. */
const NUMBERED = new WeakMap<Session, number>()

export class PollDownstream implements Downstream, Timed {
  readonly kind = 'poll'
  readonly greets = false
  readonly #session: Session
  readonly #wheel: Wheel
  readonly #times: PollTimes
  readonly #timer: Timer = new Timer(this)
  /** Up to here everything was confirmed, or there was nothing. */
  #at = ''
  #items: Update[] = []
  #bytes = 0
  /** The number of the last item that was confirmed. */
  #confirmed: number
  #waiting: Waiting | undefined
  #bundling = false

  constructor(session: Session, wheel: Wheel, times: PollTimes) {
    this.#session = session
    this.#wheel = wheel
    this.#times = times
    this.#confirmed = NUMBERED.get(session) ?? 0
    this.#away()
  }

  /** Says at which position the client begins. */
  from(at: string): void {
    this.#at = at
  }

  get room(): number {
    return SOCKET_LIMIT - this.#bytes
  }

  get pings(): boolean {
    return this.#waiting !== undefined && this.#times.heartbeat * 2 <= this.#times.hold
  }

  /** Takes a poll that confirms everything up to `number`. */
  poll(number: number, response: ServerResponse, headers: Headers, atOnce = false): void {
    this.#confirm(number)
    this.#giveUp([])
    this.#waiting = { response, headers, since: this.#wheel.now() }
    response.on('close', () => {
      if (this.#waiting?.response !== response) return
      this.#waiting = undefined
      this.#away()
    })
    if (atOnce || this.#items.length > 0) this.#answer()
    else this.#wheel.set(this.#timer, this.#times.hold)
  }

  send(updates: readonly Update[]): void {
    for (const update of updates) {
      this.#items.push(update)
      this.#bytes += update.size
    }
    if (this.#waiting === undefined || this.#bundling) return
    if (this.#times.bundle === 0) return this.#answer()
    const held = this.#wheel.now() - this.#waiting.since
    this.#bundling = true
    this.#wheel.set(this.#timer, Math.min(this.#times.bundle, Math.max(0, this.#times.hold - held)))
  }

  probe(): boolean {
    return false
  }

  expired(): void {
    if (this.#waiting === undefined) return this.#session.end()
    // what this turn brought belongs in the answer: its position would be beyond it otherwise
    this.#session.flush(this.#wheel.now())
    this.#answer()
  }

  close(farewell: Farewell): readonly Update[] {
    this.#giveUp(farewell.reason === 'replaced' ? [] : [bye(farewell, this.#at)])
    this.#wheel.clear(this.#timer)
    NUMBERED.set(this.#session, this.#confirmed + this.#items.length)
    return this.#items
  }

  #confirm(number: number): void {
    const count = number - this.#confirmed
    // one from before, or one that was never told, confirms nothing
    if (count <= 0 || count > this.#items.length) return
    const confirmed = this.#items.splice(0, count)
    this.#confirmed += count
    const full = this.room <= 0
    let offset = 0
    for (const update of confirmed) {
      this.#bytes -= update.size
      if (update.offset > offset) offset = update.offset
      if (update.at !== '') this.#at = update.at
    }
    if (offset > 0) this.#session.confirm(offset)
    if (full) this.#session.drained()
  }

  /** Answers the poll that waits with everything that is not confirmed. */
  #answer(): void {
    const waiting = this.#waiting
    if (waiting === undefined) return
    this.#waiting = undefined
    if (this.#items.length === 0) this.#at = this.#session.watermark
    const number = this.#confirmed + this.#items.length
    this.#write(waiting, this.#items, number, this.#items.at(-1)?.at || this.#at)
    this.#away()
  }

  /** Ends the poll that waits without giving it anything of what it waits for. */
  #giveUp(told: readonly Update[]): void {
    const waiting = this.#waiting
    if (waiting === undefined) return
    this.#waiting = undefined
    this.#write(waiting, told, this.#confirmed, this.#at)
    this.#away()
  }

  #write({ response, headers }: Waiting, updates: readonly Update[], n: number, at: string): void {
    const { id, secret } = this.#session
    const text = pollAnswer(id, updates, at, `${secret}/${n}`)
    for (const update of updates) update.forget()
    response.writeHead(200, [
      'Content-Type',
      'application/json',
      'Content-Length',
      String(Buffer.byteLength(text)),
      'Cache-Control',
      'no-store',
      ...headers,
    ])
    response.end(text)
  }

  #away(): void {
    this.#bundling = false
    this.#wheel.set(this.#timer, this.#times.expire)
  }
}
