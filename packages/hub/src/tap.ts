/**
 * Taps: delegates that watch and change nothing. The Logger writes each update as `path; message` (DB-14), in
 * front of the gate, so that it shows what was asked for and not only what was allowed.
 */
import type { Component, Message, Principal } from '@sapwood/core'
import { NO_ID, SYSTEM } from '@sapwood/core'

/**
 * A delegate that writes a line per update.
 * @param write takes one line, its end included.
 * @example hub.controller.delegate(logger((line) => process.stdout.write(line)))
 */
export function logger(write: (line: string) => void): Component {
  const principal: Principal = SYSTEM
  return {
    id: NO_ID,
    principal,
    update: (_sender: Component, path: string, message: Message) =>
      write(`${path}; ${shown(message)}\n`),
  }
}

function shown({ body }: Message): string {
  if (typeof body === 'string') return body.replace(/[\r\n]+/g, ' ')
  return body instanceof Uint8Array ? `<${body.byteLength} bytes>` : '<stream>'
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
