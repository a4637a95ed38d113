/**
 * A caller's question on its way to a peer: waits until the peer is there, asks, and asks again as long as it is proven that
 * nobody has heard of it.
 * Invariant: waiting takes no longer than the wait in all, however often the peer comes and goes.
 */
import type { Wheel } from '@sapwood/core'
import { reasonOf, SapwoodError } from '@sapwood/core'
import type { RequestHead } from '@sapwood/wire'
import type { AnswerListener, Asker, Exchange } from '../exchange.ts'
import type { Outcome } from './front-faults.ts'
import { absent, outcomeOf, unknown } from './front-faults.ts'

/** Who has a question. */
export interface Questioner extends AnswerListener {
  /** The peer is there and has been asked: the body may follow. It may be told again, of another exchange. */
  begun(exchange: Exchange): void
  /** There is nobody to ask. */
  refused(outcome: Outcome): void
}

/** How often a peer may come and be gone again, or not have heard of it, before it counts as absent. */
const ATTEMPTS = 8
/** What is thrown for a peer that has just gone, or goes. */
const GONE: ReadonlySet<string> = new Set(['CLIENT_ABSENT', 'PIPE_CLOSED', 'PIPE_DRAINING'])

export class Question {
  readonly name: string
  readonly head: RequestHead
  readonly ends: boolean
  readonly #asker: Asker
  readonly #wheel: Wheel
  readonly #questioner: Questioner
  /** How long is waited, and until when: once it waits. */
  readonly #wait: number
  #until: number | undefined = undefined
  #attempts = 0
  #giveUp: (() => void) | undefined = undefined

  /** @param wait milliseconds. */
  constructor(
    { asker, wheel }: { readonly asker: Asker; readonly wheel: Wheel },
    questioner: Questioner,
    question: {
      readonly name: string
      readonly head: RequestHead
      readonly ends: boolean
      readonly wait: number
    },
  ) {
    this.name = question.name
    this.head = question.head
    this.ends = question.ends
    this.#wait = question.wait
    this.#asker = asker
    this.#wheel = wheel
    this.#questioner = questioner
  }

  /** Asks as soon as it can. It may end in this call. */
  ask(): void {
    const absence = this.#asker.absence(this.name)
    if (absence === 'unknown') this.#questioner.refused(unknown(this.name))
    else if (absence === 'away') this.#whenBack()
    else this.#now()
  }

  /**
   * Asks once more what nobody has heard of.
   * @returns false if that was tried often enough.
   */
  again(): boolean {
    if (++this.#attempts >= ATTEMPTS) return false
    // in a turn of its own: what has just failed it is still being taken down
    this.#giveUp = this.#wheel.after(0, () => {
      this.#giveUp = undefined
      this.ask()
    })
    return true
  }

  /** Stops waiting. What was asked is for its exchange to cancel. */
  cancel(): void {
    this.#giveUp?.()
    this.#giveUp = undefined
  }

  #now(): void {
    let exchange: Exchange
    try {
      exchange = this.#asker.ask(this.name, this.head, this.ends, this.#questioner)
    } catch (thrown) {
      return this.#failed(thrown)
    }
    this.#questioner.begun(exchange)
  }

  #failed(thrown: unknown): void {
    const code = thrown instanceof SapwoodError ? thrown.code : 'CONNECTION_LOST'
    if (GONE.has(code) && ++this.#attempts < ATTEMPTS) return this.#whenBack()
    const fault = GONE.has(code) ? absent(this.name).fault : { code, detail: reasonOf(thrown) }
    this.#questioner.refused(outcomeOf(fault))
  }

  #whenBack(): void {
    const now = this.#wheel.now()
    this.#until ??= now + this.#wait
    let isOver = false
    const giveUp = this.#asker.whenBack(this.name, Math.max(0, this.#until - now), (isThere) => {
      isOver = true
      this.#giveUp = undefined
      if (isThere) this.#now()
      else this.#questioner.refused(absent(this.name))
    })
    if (!isOver) this.#giveUp = giveUp
  }
}
