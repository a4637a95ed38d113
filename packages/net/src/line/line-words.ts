/** The lines that a connection answers itself, and what can be said of those that it sends. */
import type { CarriedSession, Fault } from '@sapwood/core'
import { isDirectPath, jsonMessage, Update } from '@sapwood/core'
import { unhandledReply } from '@sapwood/wire'

export const EXIT = '::exit'
export const KEY = '::key'
export const HELLO = '::hello'
export const ERROR = '::error'
export const BYE = '::bye'

/** A line that only this end of the connection will see. */
export function told(path: string, value: unknown): Update {
  return new Update(path, jsonMessage(value))
}

/**
 * What of `updates` can be sent as lines. A line cannot say what it answers: whoever asks such a client hears at once
 * that nobody will.
 */
export function answerable(
  updates: readonly Update[],
  session: CarriedSession | undefined,
): readonly Update[] {
  if (!updates.some(isQuestion)) return updates
  return updates.filter((update) => {
    if (!isQuestion(update)) return true
    session?.answer(update.meta.reply as string, unhandledReply())
    return false
  })
}

function isQuestion({ path, meta }: Update): boolean {
  return meta.reply !== undefined && isDirectPath(path)
}

/** The name that a hello asks for, and what else it says. */
export function helloWords(text: string): readonly string[] {
  return text.split(' ').filter((word) => word !== '')
}

export const KEY_MISSING: Fault = {
  code: 'KEY_MISSING',
  detail: 'there is no key in this line; write ::key;KEY',
}

/** Is this the first line of an HTTP request? No update looks like one. */
export function isRequestLine(line: string): boolean {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ \S.* HTTP\/\d(?:\.\d)?$/.test(line)
}
