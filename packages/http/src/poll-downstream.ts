/**
 * A session over long polls. What was sent stays until a later poll confirms it by number, so that an answer that
 * was lost on its way is only sent again (OR-06, DB-19).
 *
 *     state     poll                          news             timer
 *     away      waiting, or answers at once   away             expired: the session ends
 *     waiting   the old one ends empty        bundling         answers empty
 *     bundling  the old one ends empty        bundling         answers
 *
 * Invariant: items are numbered without a hole, and at most one poll waits.
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

export class PollDownstream implements Downstream, Timed {
  readonly kind = 'poll'
  readonly greets = false
  readonly #session: Session
  readonly #wheel: Wheel
  readonly #times: PollTimes
  readonly #timer: Timer = new Timer(this)
  #items: Update[] = []
  #bytes = 0
  /** The number of the last item that was confirmed. */
  #confirmed: number
  #waiting: Waiting | undefined
  #bundling = false

  /** @param first the number that the client's next poll will say; 0 for a new session. */
  constructor(session: Session, wheel: Wheel, times: PollTimes, first = 0) {
    this.#session = session
    this.#wheel = wheel
    this.#times = times
    this.#confirmed = first
    this.#away()
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
    this.#answer()
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
    if (this.#waiting !== undefined) this.#answer()
    else this.#session.end()
  }

  close(farewell: Farewell): readonly Update[] {
    const told = farewell.reason === 'replaced' ? [] : [bye(farewell, this.#session.watermark)]
    if (this.#waiting !== undefined) this.#write(this.#waiting, told)
    this.#waiting = undefined
    this.#wheel.clear(this.#timer)
    return this.#items
  }

  #confirm(number: number): void {
    const count = Math.min(number - this.#confirmed, this.#items.length)
    if (count <= 0) return
    const confirmed = this.#items.splice(0, count)
    this.#confirmed += count
    const full = this.room <= 0
    let offset = 0
    for (const update of confirmed) {
      this.#bytes -= update.size
      if (update.offset > offset) offset = update.offset
    }
    if (offset > 0) this.#session.confirm(offset)
    if (full) this.#session.drained()
  }

  /** Answers the poll that waits with everything that is not confirmed. */
  #answer(): void {
    const waiting = this.#waiting
    if (waiting === undefined) return
    this.#waiting = undefined
    this.#write(waiting, this.#items)
    this.#away()
  }

  #write({ response, headers }: Waiting, updates: readonly Update[]): void {
    const session = this.#session
    const reconnectWith = `${session.secret}/${this.#confirmed + this.#items.length}`
    const at = this.#items.at(-1)?.at || session.watermark
    const text = pollAnswer(session.id, updates, at, reconnectWith)
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
