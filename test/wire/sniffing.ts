/** Asks matchers and rules at every place at which the network might cut what a client sends. */
import assert from 'node:assert/strict'
import type { Matcher, Sniffed, Verdict } from '@sapwood/wire'

export function bytesOf(text: string | Uint8Array): Uint8Array {
  return typeof text === 'string' ? Buffer.from(text, 'latin1') : text
}

export function sniffed(text: string | Uint8Array, more: Partial<Sniffed> = {}): Sniffed {
  return { bytes: bytesOf(text), ended: false, late: false, ...more }
}

/** What a matcher says in the end, and after how many bytes it said so. */
export interface Outcome {
  readonly verdict: Verdict
  /** Undefined if the end of the stream had to be seen. */
  readonly at: number | undefined
}

/**
 * Asks with one byte more at a time, and again at the end of the stream.
 * @throws AssertionError if a yes or no is taken back.
 */
export function outcome(matcher: Matcher, text: string | Uint8Array): Outcome {
  const bytes = bytesOf(text)
  let verdict: Verdict = 'more'
  let at: number | undefined
  for (let length = 0; length <= bytes.length; length++) {
    const now = matcher(sniffed(bytes.slice(0, length)))
    if (verdict !== 'more') assert.equal(now, verdict, `taken back after ${length} bytes`)
    else if (now !== 'more') {
      verdict = now
      at = length
    }
  }
  const last = matcher(sniffed(bytes, { ended: true }))
  if (verdict !== 'more') assert.equal(last, verdict, 'taken back at the end')
  return { verdict: last, at }
}

/** The verdict alone. */
export function verdictOf(matcher: Matcher, text: string | Uint8Array): Verdict {
  return outcome(matcher, text).verdict
}

/** `at` is given in text: the verdict has to come with the last character before `‸`. */
export function decidesAt(rule: Matcher, marked: string, verdict: 'yes' | 'no'): void {
  const at = marked.indexOf('‸')
  const text = Buffer.from(marked.replace('‸', '')).toString('latin1')
  const expected = Buffer.byteLength(marked.slice(0, at))
  assert.deepEqual(outcome(rule, text), { verdict, at: expected }, marked)
}

/** The head of a request with these headers. */
export function head(...headers: string[]): string {
  return `GET /a HTTP/1.1\r\n${headers.map((header) => `${header}\r\n`).join('')}\r\n`
}
