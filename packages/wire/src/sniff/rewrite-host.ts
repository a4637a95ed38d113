/**
 * Another `Host` in the first request of a connection before it is replayed (SP-06), whatever its case and wherever in the
 * head it stands.
 * Invariant: all other bytes stay as they came.
 */
import { SapwoodError } from '@sapwood/core'
import { ascii, latin1 } from './latin1.ts'
import { headLines, requestLine } from './request-head.ts'

const HOST = /^host[ \t]*:/i
/** A line that goes on with the value before it. */
const FOLDED = /^[ \t]/
const AUTHORITY = /^(\S+ [a-z][a-z0-9+.-]*:\/\/)[^\s/?#]*/im
const VALUE = /^[!-~]+$/

/**
 * The bytes with `host` in every `Host` header of the first head, and in its target if that is a whole URL, since it
 * outdoes the header. A head without one gets one.
 * @param bytes everything from the first byte; what stands behind the head follows unchanged.
 * @returns `more` if the head is not whole. What is no HTTP request comes back as it is.
 * @throws SapwoodError `EDGE_INVALID` for a host with spaces or control characters.
 * @example rewriteHost(bytes, 'app.internal')
 */
export function rewriteHost(bytes: Uint8Array, host: string): Uint8Array | 'more' {
  if (!VALUE.test(host)) {
    throw new SapwoodError('EDGE_INVALID', `"${host}" cannot stand in a Host header`)
  }
  const line = requestLine(bytes)
  if (line === 'no') return bytes
  const lines = line.end === undefined ? 'more' : headLines(bytes, line.end)
  if (line.end === undefined || lines === 'more') return 'more'
  const first = latin1(bytes, 0, line.end)
  const head = [first.replace(AUTHORITY, (_, before: string) => before + host)]
  let isHost = false
  let found = false
  for (const { start, end, next } of lines.slice(0, -1)) {
    const text = latin1(bytes, start, end)
    // a folded line belongs to the value before it, and goes with it
    isHost = HOST.test(text) || (isHost && FOLDED.test(text))
    if (!isHost) head.push(latin1(bytes, start, next))
    else if (!FOLDED.test(text)) {
      found = true
      head.push(`${text.slice(0, text.indexOf(':'))}: ${host}${latin1(bytes, end, next)}`)
    }
  }
  if (!found) head.splice(1, 0, `Host: ${host}\r\n`)
  return followed(ascii(head.join('')), bytes.subarray(lines.at(-1)?.start))
}

function followed(head: Uint8Array, rest: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(head.length + rest.length)
  bytes.set(head)
  bytes.set(rest, head.length)
  return bytes
}
