/**
 * Server-sent events as the hub writes them (HTML standard, section 9.2): updates are plain `message` events with the
 * envelope as data, control updates named events without the colons, each with its position as id.
 * Invariant: the last id that a browser saw is a position that nothing before it is owed.
 */
import type { Codec } from '@sapwood/core'
import { ERROR, isControlPath } from '@sapwood/core'
import { envelopeText } from './envelope.ts'
import { Slot } from './slots.ts'
import { utf8 } from './utf8.ts'

/** What `::error` is called here: an EventSource has an `error` of its own, for its connection. */
const PROBLEM = 'problem'

/** An update as an event. Its `at` is the id; one without goes out without and leaves the last id as it is. */
export const serverSentEvent: Codec<Uint8Array> = {
  slot: Slot.serverSentEvent,
  encode(update) {
    const id = update.at === '' ? '' : `id: ${update.at}\n`
    const name = isControlPath(update.path) ? `event: ${eventName(update.path)}\n` : ''
    return utf8(`${id}${name}data: ${envelopeText(update)}\n\n`)
  },
}

/** How a control path is called as an event. @example eventName('::connected') // 'connected' */
export function eventName(path: string): string {
  return path === ERROR ? PROBLEM : path.slice(2)
}

/** Tells the browser how long to wait before it connects again, in milliseconds. */
export function retryLine(milliseconds: number): string {
  return `retry: ${Math.ceil(milliseconds)}\n\n`
}
