/**
 * The head of a peer's answer as text, for a connection that node:http writes no answers on: behind it another protocol is
 * spoken, or it ends.
 * Invariant: nothing that a peer wrote makes a line of its own.
 */
import { STATUS_CODES } from 'node:http'
import type { ResponseHead } from '@sapwood/wire'
import { TOKEN } from '@sapwood/wire'
import { answerFields } from './answer-fields.ts'

const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** @param isProxied in proxy form. @returns undefined if a header is none, or there is more than one length. */
export function answerHead(head: ResponseHead, isProxied: boolean): string | undefined {
  const { fields, length } = answerFields(head, isProxied)
  if (head.status === 101) {
    for (let i = 0; i + 1 < head.headers.length; i += 2) {
      if (head.headers[i] === 'upgrade') fields.push('upgrade', head.headers[i + 1] as string)
    }
    fields.push('connection', 'Upgrade')
  } else fields.push('connection', 'close')
  if (length !== undefined) fields.push('content-length', String(length))
  let lines = `HTTP/1.1 ${head.status} ${STATUS_CODES[head.status] ?? ''}\r\n`
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] as string
    const value = fields[i + 1] as string
    if (!TOKEN.test(name) || !VALUE.test(value)) return undefined
    lines += `${name}: ${value}\r\n`
  }
  return Number.isNaN(length) ? undefined : `${lines}\r\n`
}
