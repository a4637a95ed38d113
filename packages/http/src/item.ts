/**
 * An item of a batch as the hub takes it. Who publishes by HTTP has no inbox, so an item neither asks nor answers: where it
 * names a path for replies, whoever answers would publish there with rights of its own.
 */
import type { Message } from '@sapwood/core'
import { message as makeMessage } from '@sapwood/core'
import type { Frame } from '@sapwood/wire'

/** What an item may say beside its body. `after` is for `::connect`. */
const SAID: ReadonlySet<string> = new Set([
  ...['id', 'key', 'origin', 'exclude', 'after'],
  ...['verb', 'args', 'query'],
])

/** The message of an item, without what an item cannot say. */
export function itemMessage({ message }: Frame): Message {
  // nearly all say nothing, or only an id: no copy for those
  for (const name in message.meta) if (!SAID.has(name)) return withoutRest(message)
  return message
}

function withoutRest({ body, type, meta }: Message): Message {
  const kept = Object.entries(meta).filter(([name]) => SAID.has(name))
  return makeMessage(body, type, Object.fromEntries(kept))
}
