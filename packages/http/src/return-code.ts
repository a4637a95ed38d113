/**
 * What each answer to a question says beside its body: how it went, as a number (RP-06), and that a browser is to make no
 * page of it. Problems say so as well, wherever they were found.
 */
import { Code } from '@sapwood/core'
import type { Headers } from './problem.ts'

const NAME = 'X-Event-Return-Code'
const NO_PAGE: Headers = ['X-Content-Type-Options', 'nosniff', 'Content-Security-Policy', 'sandbox']

/** The header for a return code. */
export function codeHeader(code: number): Headers {
  return [NAME, String(code)]
}

/** The headers of a problem for somebody who asks; where none of them says a code, nobody was asked. */
export function askedHeaders(headers: Headers): Headers {
  const code = headers.includes(NAME) ? [] : codeHeader(Code.refused)
  return [...headers, ...code, ...NO_PAGE]
}
