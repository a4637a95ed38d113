/**
 * What each answer to a question says beside its body: how it went, as a number (RP-06), and that a browser is to make no
 * page of it. Problems say so as well, wherever they were found.
 */
import type { Fault } from '@sapwood/core'
import { Code } from '@sapwood/core'
import type { Headers } from './problem.ts'

const NAME = 'X-Event-Return-Code'
const NO_PAGE: Headers = ['X-Content-Type-Options', 'nosniff', 'Content-Security-Policy', 'sandbox']

/** The header for a return code. */
export function codeHeader(code: number): Headers {
  return [NAME, String(code)]
}

/** The headers of a problem that somebody gets who has asked; without a code among them nobody was asked. */
export function askedHeaders({ status }: Fault, headers: Headers): Headers {
  if (headers.includes(NAME)) return [...headers, ...NO_PAGE]
  // a body that is late or too large is as wrong as one that is no JSON
  const code = status === 408 || status === 413 ? Code.threw : Code.refused
  return [...headers, ...codeHeader(code), ...NO_PAGE]
}
