/**
 * Functions that answer questions in this process, as a component: they are reached and answer like any browser.
 * Invariant: every question gets one answer; one that is cancelled aborts the signal of its handler.
 */
import { Readable } from 'node:stream'
import type { Component, Message } from '@sapwood/core'
import { isDirectPath, isStream, NO_ID, nounOf, SYSTEM } from '@sapwood/core'
import type { Answerer } from '@sapwood/hub'
import type { Handler, Handlers } from '@sapwood/wire'
import { findHandler, handlerInput, unhandledReply } from '@sapwood/wire'
import type { HandlerContext } from './handler-call.ts'
import { HandlerCall } from './handler-call.ts'
import { HTTP_DEFAULTS } from './settings.ts'
import { readWhole } from './whole-answer.ts'

export interface HandlerDeps {
  /** Sends an answer into the hub. */
  readonly update: (sender: Component, path: string, message: Message) => void
  /** Whether the stack of a throw may be shown to the asker. */
  readonly traced?: boolean
  /** Bytes of a streamed answer to somebody who gets it in one frame: 1 MiB. */
  readonly limit?: number
  /** Takes the questions for which there is no function. */
  readonly otherwise?: Component | undefined
}

/**
 * A component that answers with a table of functions. One whose property `stream` is true gets its data as a Node
 * `Readable` of bytes, while they come (TB-02): as fast as it reads, up to `limits.stream`. Any of them may answer with a
 * stream: a `Readable`, a web `ReadableStream`, an async iterable of bytes or texts.
 * @param handlers by `GET time/utc`, or by a name such as `get_time_utc` (RP-10).
 * @example hub.answer('hub', handlerComponent(builtInHandlers('server'), { update: … }))
 */
export function handlerComponent(handlers: Handlers<HandlerContext>, deps: HandlerDeps): Answerer {
  const { traced = false, limit = HTTP_DEFAULTS.limits.body } = deps
  const component: Answerer = {
    id: NO_ID,
    principal: SYSTEM,
    takesStream(verb, path) {
      const handler = findHandler(handlers, verb, nounOf(path))
      return handler !== undefined && readsStream(handler)
    },
    update(sender, path, message) {
      // the receipts of its answers come here, too
      if (!isDirectPath(path)) return
      const { reply, verb = 'GET', args = [], query = '', cancel, origin } = message.meta
      const { noun = nounOf(path) } = message.meta
      const handler = findHandler(handlers, verb, noun)
      if (handler === undefined && deps.otherwise !== undefined) {
        deps.otherwise.update(sender, path, message)
        return
      }
      const call = new HandlerCall(sender.principal.id, verb, noun, query, traced)
      let isOver = reply === undefined
      let stream: Readable | undefined
      const forget = cancel?.onCancel(() => {
        isOver = true
        call.stop()
        stream?.destroy()
      })
      const say = (answer: Message): void => {
        // never in the turn of the question: who asked has not heard yet how to cancel it
        queueMicrotask(() => {
          forget?.()
          if (!isOver) deps.update(component, reply as string, answer)
          // whoever makes it is to hear that nobody reads it
          else if (answer.body instanceof Readable) answer.body.destroy()
        })
      }
      const taker = {
        answered(answer: Message): void {
          // a frame of a session says whole answers
          const isWhole = origin === undefined || isOver || !(answer.body instanceof Readable)
          if (isWhole) return say(answer)
          stream = answer.body as Readable
          readWhole(stream, answer, { limit, traced }, say)
        },
      }
      if (handler === undefined) taker.answered(unhandledReply())
      else call.run(handler, inputOf(handler, message), args, taker)
    },
  }
  return component
}

/** Does this handler want its data as a stream? */
export function readsStream(handler: Handler<HandlerContext>): boolean {
  return (handler as { readonly stream?: unknown }).stream === true
}

function inputOf(
  handler: Handler<HandlerContext>,
  message: Message,
): readonly [type: string, data: unknown] {
  if (!readsStream(handler)) return handlerInput(message)
  const { body, type } = message
  if (body instanceof Readable) return [type, body]
  return [type, Readable.from(isStream(body) ? body : [body], { objectMode: false })]
}

/**
 * What is answered without any handlers of the operator's (RP-32).
 * @example builtInHandlers('server') // GET time is { time_from_server: … }
 */
export function builtInHandlers(role: 'server' | 'client'): Handlers<HandlerContext> {
  return {
    'GET time': () => ({ [`time_from_${role}`]: Date.now() / 1000 }),
    'GET cat': (_context: HandlerContext, _data: unknown, x = '', y = '') => ({
      [`result_from_${role}`]: x + y,
    }),
  }
}

/** What every hub answers under its own name (RP-32). */
const BUILT_IN: Handlers<HandlerContext> = builtInHandlers('server')

/** What a hub answers under its own name: the operator's functions, then what is built in. */
export function hubHandlers(own: Handlers<HandlerContext> = {}): Handlers<HandlerContext> {
  const left = Object.entries(BUILT_IN).filter(([key]) => {
    const [verb = '', noun = ''] = key.split(' ')
    return findHandler(own, verb, noun) === undefined
  })
  return { ...Object.fromEntries(left), ...own }
}
