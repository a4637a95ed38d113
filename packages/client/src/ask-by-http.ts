/** A question as an HTTP request to `/client/<name>/<noun…>[//<arg>/<arg>…]`, and its answer (RP-06, RP-11). */
import {
  BYTES_TYPE,
  Code,
  isDirectPath,
  isUnanswered,
  JSON_TYPE,
  pathFault,
  SapwoodError,
  unanswered,
} from '@sapwood/core'
import { mediaType } from '@sapwood/wire'
import type { Answer } from './asking.ts'

/**
 * The request target of a question.
 * @throws SapwoodError `PATH_INVALID`, or `ARGUMENT_INVALID` for `.` and `..`, which no URL can carry.
 * @example askTarget('@fileserver/cat', ['hello ', 'world']) // '/client/fileserver/cat//hello%20/world'
 */
export function askTarget(path: string, args: readonly string[] = [], query?: string): string {
  const fault = isDirectPath(path) ? pathFault(path) : 'does not begin with @'
  if (fault !== undefined) {
    throw new SapwoodError('PATH_INVALID', `a question goes to @name/noun; "${path}" ${fault}`)
  }
  const noun = path.slice(1).split('/').map(segment).join('/')
  const tail = args.length === 0 ? '' : `//${args.map(segment).join('/')}`
  return `/client/${noun}${tail}${query === undefined ? '' : `?${query}`}`
}

function segment(text: string): string {
  if (text !== '.' && text !== '..') return encodeURIComponent(text)
  throw new SapwoodError('ARGUMENT_INVALID', `"${text}" cannot be a segment of a URL`)
}

/** The body of a message: text and bytes as they are, anything else as JSON. */
export function bodyOf(message: unknown, type?: string): string | Uint8Array<ArrayBuffer> {
  if (message instanceof Uint8Array) return message as Uint8Array<ArrayBuffer>
  return type !== undefined && typeof message === 'string' ? message : JSON.stringify(message)
}

/** What was answered. @throws SapwoodError where nobody answered. */
export async function answerOf(response: Response): Promise<Answer> {
  const { status, headers } = response
  const said = headers.get('x-event-return-code')
  const code = Number(said)
  const type = mediaType(headers.get('content-type') ?? undefined) || BYTES_TYPE
  const bytes = new Uint8Array(await response.arrayBuffer())
  const isText = type.startsWith('text/') || /[+/](json|xml)$/.test(type)
  const text = isText ? new TextDecoder().decode(bytes) : undefined
  const isProblem = type === 'application/problem+json'
  const isJson = text !== '' && (type === JSON_TYPE || isProblem)
  const message: unknown = isJson ? JSON.parse(text as string) : (text ?? bytes)
  // without a code it is the gateway that speaks
  // nor is anybody asked where it refuses, for a reason of its own
  if (said === null || code === Code.refused) throw unanswered({ message, status })
  if (isUnanswered(code)) throw unanswered({ message, code, status })
  return { code, type, message, status }
}
