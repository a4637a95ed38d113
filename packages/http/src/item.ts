/**
 * An item of a batch as the hub takes it. Who publishes by HTTP has no inbox, so an item neither asks nor answers: where it
 * names a path for replies, whoever answers would publish there with rights of its own.
 */
import type { Message } from '@sapwood/core'
import { isDirectPath, message as makeMessage } from '@sapwood/core'
import type { Frame } from '@sapwood/wire'

/** What an item may say beside its body. `after` is for `::connect`. */
const SAID: ReadonlySet<string> = new Set(['id', 'key', 'origin', 'exclude', 'after'])
/** The same of one that is put to somebody. An update would keep it in the history, whose bounds do not count it. */
const SAID_TO_ONE: ReadonlySet<string> = new Set([...SAID, 'verb', 'args', 'query'])

/** The message of an item, without what an item cannot say. */
export function itemMessage({ path, message }: Frame): Message {
  const said = isDirectPath(path) ? SAID_TO_ONE : SAID
  // nearly all say nothing, or only an id: no copy for those
  for (const name in message.meta) if (!said.has(name)) return withoutRest(message, said)
  return message
}

function withoutRest({ body, type, meta }: Message, said: ReadonlySet<string>): Message {
  const kept = Object.entries(meta).filter(([name]) => said.has(name))
  return makeMessage(body, type, Object.fromEntries(kept))
}
