/**
 * The transport of last resort: long polls, which get through wherever a page does, with posts for the way up. Each
 * poll confirms what the one before brought.
 */
import { lost } from './closing.ts'
import type { HttpHub } from './http-hub.ts'
import { type Follow, OneWayLink } from './one-way-link.ts'
import { Refusal } from './refusal.ts'
import type { Transport } from './transport.ts'

/** Milliseconds that a poll may be held before it counts as dead; a hub holds it for 30 s by default. */
const HOLD = 60_000

export function pollTransport(hub: HttpHub): Transport {
  return { name: 'poll', open: (listener) => new OneWayLink(hub, listener, follow) }
}

const follow: Follow = async ({ hub, signal, listener }, greeting, session) => {
  const { id, token, resumed, at, frames } = session
  const hello = { id, resume: token, resumed, at, heartbeat: HOLD }
  listener.frames([{ path: '::hello', message: hello }, ...frames])
  let after = resumed ? greeting.after : undefined
  while (!signal.aborted) {
    const polled = await hub.poll(token, { after, token: greeting.token }, signal)
    if (polled.id !== id)
      throw new Refusal({ ...lost('the hub forgot the session'), forgotten: true })
    after = undefined
    listener.frames([...polled.frames, { path: '::ping', at: polled.at }])
  }
}
