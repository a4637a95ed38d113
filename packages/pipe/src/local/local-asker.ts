/**
 * Asks an answerer of this very process, under one name, as peers are asked: so what serves callers of peers serves its
 * callers, too.
 * Invariant: an asker that waits for the whole answer waits no longer than its head says.
 */
import type { Wheel } from '@sapwood/core'
import { SapwoodError } from '@sapwood/core'
import type { RequestHead } from '@sapwood/wire'
import type { AnswerExchange, Answerer, AnswerListener, Asker, Exchange } from '../exchange.ts'
import { ANSWER_TIMEOUT } from '../peer/peer-faults.ts'
import { LocalEnd, Turns } from './local-exchange.ts'

export interface LocalAskerOptions extends Pick<AnswerExchange, 'peer' | 'principal'> {
  /** By which it is asked. */
  readonly name: string
  readonly answerer: Answerer
  readonly wheel: Wheel
}

/**
 * @example
 * const answerer = targetAnswerer('http://127.0.0.1:3000', { wheel })
 * const asker = new LocalAsker({ name: 'hub', peer: 'hub', principal: SYSTEM, answerer, wheel })
 */
export class LocalAsker implements Asker {
  readonly #options: LocalAskerOptions

  constructor(options: LocalAskerOptions) {
    this.#options = options
  }

  absence(name: string): 'unknown' | undefined {
    return name === this.#options.name ? undefined : 'unknown'
  }

  whenBack(name: string, _wait: number, done: (there: boolean) => void): () => void {
    done(this.absence(name) === undefined)
    return () => undefined
  }

  ask(name: string, head: RequestHead, ends: boolean, listener: AnswerListener): Exchange {
    const { answerer, wheel } = this.#options
    if (this.absence(name) !== undefined) {
      throw new SapwoodError('CLIENT_UNKNOWN', `nobody here is called "${name}"`, { status: 404 })
    }
    const turns = new Turns()
    const near = new LocalEnd(turns, this.#options)
    const far = new LocalEnd(turns, this.#options)
    near.join(far)
    near.listener = listener
    if (ends) near.endsWithoutBody()
    // who asks is to have the exchange before it hears of an answer
    turns.post(() => {
      if (!near.isDeaf) far.listener = answerer.request(head, ends, far)
    })
    if (listener.isWhole === true && head.timeout > 0) {
      near.whenOver = wheel.after(head.timeout, () => {
        far.fail(ANSWER_TIMEOUT)
        near.fail(ANSWER_TIMEOUT)
      })
    }
    return near
  }
}
