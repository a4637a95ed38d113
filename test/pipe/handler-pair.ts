/** A pipe in memory to functions that answer. */
import { Wheel } from '@sapwood/core'
import type { HandlerContext } from '@sapwood/http'
import type { AnswererOptions } from '@sapwood/pipe'
import { answerer } from '@sapwood/pipe'
import { FakeClock } from '@sapwood/testkit'
import type { Handlers } from '@sapwood/wire'
import { ExchangePair } from './exchange-pair.ts'

export type Table = Record<
  string,
  (context: HandlerContext, data: never, ...args: string[]) => unknown
>

export function pairOf(
  handlers: Table,
  options: Partial<AnswererOptions> & { clock?: FakeClock } = {},
  limits = {},
): ExchangePair {
  const { clock = new FakeClock(), ...more } = options
  const wheel = new Wheel(clock)
  const table = handlers as unknown as Handlers<HandlerContext>
  return new ExchangePair(answerer({ role: 'client', handlers: table, wheel, ...more }), limits)
}

/** A handler that wants its data as a stream. */
export function streaming<Run extends (...args: never[]) => unknown>(run: Run): Run {
  return Object.assign(run, { stream: true })
}
