/**
 * The second transport: frames come as server-sent events of a response that does not end, read with `fetch`, and
 * go up as posts.
 */
import { readFrames } from './frame.ts'
import type { HttpHub } from './http-hub.ts'
import { type Follow, OneWayLink } from './one-way-link.ts'
import type { Transport } from './transport.ts'

export function eventStreamTransport(hub: HttpHub): Transport {
  return { name: 'sse', open: (listener) => new OneWayLink(hub, listener, follow) }
}

const follow: Follow = async ({ hub, signal, listener }, greeting, session) => {
  const query = { token: greeting.token, after: session.resumed ? greeting.after : undefined }
  const { body } = await hub.get(`/events/${session.token}`, query, signal)
  // no body: this surrounding cannot read an answer as it comes
  const reader = (body as ReadableStream<Uint8Array>).getReader()
  const decoder = new TextDecoder()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done || signal.aborted) return
    const lines = (rest + decoder.decode(value, { stream: true })).split('\n')
    rest = lines.pop() as string
    // a hub's event has one line of data, and all that counts is in it: names and ids are for an EventSource
    const data = lines.filter((line) => line.startsWith('data:'))
    listener.frames(data.flatMap((line) => readFrames(line.slice(5))))
  }
}
