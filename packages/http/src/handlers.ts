/**
 * Functions that answer questions in this process, as a component: they are reached and answer like any browser.
 * Invariant: a handler's throw, rejection or nonsense becomes code 251; a question that is cancelled aborts the
 * signal of its handler.
 */
import { Readable } from 'node:stream'
import type { Component, Message, Principal } from '@sapwood/core'
import { isStream, NO_ID, SYSTEM } from '@sapwood/core'
import type { Answerer } from '@sapwood/hub'
import type { Handler, Handlers } from '@sapwood/wire'
import { exceptionReply, findHandler, handlerInput, replyOf, unhandledReply } from '@sapwood/wire'

/** What a handler knows of its question. */
export interface HandlerContext {
  /** Who asks: the id of a principal. */
  readonly peer: string
  readonly verb: string
  readonly noun: string
  readonly query: string
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

export interface HandlerDeps {
  /** Sends an answer into the hub. */
  readonly update: (sender: Component, path: string, message: Message) => void
  /** Whether the stack of a throw may be shown to the asker. */
  readonly traced?: boolean
}

/**
 * A component that answers with a table of functions. One whose property `stream` is true gets its data as a Node
 * `Readable` of bytes, while they come (TB-02): as fast as it reads, up to `limits.stream`.
 * @param handlers by `GET time/utc`, or by a name such as `get_time_utc` (RP-10).
 * @example hub.answer('hub', handlerComponent(BUILT_IN, { update: … }))
 */
export function handlerComponent(handlers: Handlers<HandlerContext>, deps: HandlerDeps): Answerer {
  const component: Answerer = {
    id: NO_ID,
    principal: SYSTEM,
    takesStream(verb, path) {
      const handler = findHandler(handlers, verb, nounOf(path))
      return handler !== undefined && isStreaming(handler)
    },
    update(sender, path, message) {
      const { reply } = message.meta
      void answer(handlers, path, message, sender.principal, deps).then((result) => {
        if (reply !== undefined) deps.update(component, reply, result)
      })
    },
  }
  return component
}

async function answer(
  handlers: Handlers<HandlerContext>,
  path: string,
  message: Message,
  asker: Principal,
  deps: HandlerDeps,
): Promise<Message> {
  const { verb = 'GET', args = [], query = '', cancel } = message.meta
  const noun = nounOf(path)
  const handler = findHandler(handlers, verb, noun)
  if (handler === undefined) return unhandledReply()
  const stop = new AbortController()
  const forget = cancel?.onCancel(() => stop.abort())
  const context: HandlerContext = { peer: asker.id, verb, noun, query, signal: stop.signal }
  try {
    return replyOf(await handler(context, inputOf(handler, message), ...args))
  } catch (thrown) {
    return exceptionReply(thrown, deps.traced ?? false)
  } finally {
    forget?.()
  }
}

function nounOf(path: string): string {
  const slash = path.indexOf('/')
  return slash < 0 ? '' : path.slice(slash + 1)
}

/** Does this handler want its data as a stream? */
function isStreaming(handler: Handler<HandlerContext>): boolean {
  return (handler as { readonly stream?: unknown }).stream === true
}

function inputOf(
  handler: Handler<HandlerContext>,
  message: Message,
): readonly [type: string, data: unknown] {
  if (!isStreaming(handler)) return handlerInput(message)
  const { body, type } = message
  if (body instanceof Readable) return [type, body]
  return [type, Readable.from(isStream(body) ? body : [body], { objectMode: false })]
}

/** What every hub answers under its own name (RP-32). */
export const BUILT_IN: Handlers<HandlerContext> = {
  'GET time': () => ({ time_from_server: Date.now() / 1000 }),
  'GET cat': (_context: HandlerContext, _data: unknown, x = '', y = '') => ({
    result_from_server: x + y,
  }),
}
