/** Where clients are asked over HTTP, `/client/<name>/…`, and the question that a request there says. */
import type { Fault } from '@sapwood/core'
import type { Ask } from '@sapwood/wire'
import { parseAsk } from '@sapwood/wire'
import type { RequestHead } from './request-head.ts'

const PREFIX = '/client/'

/** Is this the raw target, or path, of a question? */
export function isAsked(target: string): boolean {
  return target.startsWith(PREFIX)
}

/**
 * The question of a request with such a target in origin form, or what is wrong with it.
 * @param head left out by who does not mind how long it may take.
 */
export function askedBy(target: string, head?: RequestHead): Ask | Fault {
  const durations = head && { wait: head['sapwood-wait'], timeout: head['sapwood-timeout'] }
  return parseAsk(target.slice(PREFIX.length - 1), durations)
}
