/**
 * Taps: delegates that watch and change nothing. The Logger writes each update as `path; message` (DB-14), in
 * front of the gate, so that it shows what was asked for and not only what was allowed.
 */
import type { Component, Message, Principal } from '@sapwood/core'
import { message as makeMessage, NO_ID, SYSTEM, TEXT_TYPE } from '@sapwood/core'

/**
 * A delegate that writes a line per update.
 * @param write takes one line, its end included.
 * @param line the line of an update without its end: `lineText` of `@sapwood/wire`.
 * @example hub.controller.delegate(logger((line) => process.stdout.write(line), lineText))
 */
export function logger(
  write: (line: string) => void,
  line: (path: string, message: Message) => string,
): Component {
  const principal: Principal = SYSTEM
  return {
    id: NO_ID,
    principal,
    update: (_sender: Component, path: string, message: Message) =>
      write(`${line(path, shown(message))}\n`),
  }
}

/** What a log has room for: of bytes only how many they are. */
function shown(message: Message): Message {
  const { body } = message
  if (typeof body === 'string') return message
  const text = body instanceof Uint8Array ? `<${body.byteLength} bytes>` : '<stream>'
  return makeMessage(text, TEXT_TYPE)
}

/** A delegate that counts. */
export function counter(counters: { updates: number }): Component {
  return {
    id: NO_ID,
    principal: SYSTEM,
    update: () => {
      counters.updates++
    },
  }
}
