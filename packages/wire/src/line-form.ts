/**
 * The line form: an update as one line of text, `path; message` (DB-11), for shells, small devices and logs. Both
 * grammars are read, `path;message` and `UPDATE path; message` (DB-24); a line without `;` has an empty message.
 * In a path `%3B` and `%25` stand for `;` and `%`. A message that is JSON, as it stands or once its escapes are
 * resolved, is that JSON; any other is text, in which `\n`, `\r` and `\\` stand for line feed, carriage return and
 * backslash. What steers the hub (`::connect;PATTERN`) is always text.
 * Invariant: every string is a line that can be read, and what is written is one line, which reads back as the same
 * path and content. Media types other than JSON do not travel: text that looks like JSON comes back as JSON, and
 * bytes as base64.
 */
import type { Codec, Message, Update } from '@sapwood/core'
import {
  CONNECTED,
  DISCONNECTED,
  ERROR,
  HELLO,
  isControlPath,
  JSON_TYPE,
  message as makeMessage,
  SapwoodError,
  TEXT_TYPE,
} from '@sapwood/core'
import { toBase64 } from './base64.ts'
import { compactJson, isJson } from './json-text.ts'
import { Slot } from './slots.ts'
import { utf8 } from './utf8.ts'

/** An update as a line says it. Whether `path` is a legal one is for the reader to decide. */
export interface Line {
  readonly path: string
  readonly message: Message
}

/** The word that begins a line of the first grammar. */
const UPDATE = 'UPDATE '
/** An empty message: the empty string, as everywhere. */
const NOTHING = makeMessage('""')

/**
 * Reads a line, its end not included.
 * @example parseLine('UPDATE process/a; {"progress":0.5}') // path `process/a`, a JSON message
 */
export function parseLine(line: string): Line {
  const start = line.startsWith(UPDATE) ? UPDATE.length : 0
  const semicolon = line.indexOf(';', start)
  if (semicolon < 0) return { path: unescapePath(line.slice(start)), message: NOTHING }
  const path = unescapePath(line.slice(start, semicolon))
  const space = line.charCodeAt(semicolon + 1) === SPACE ? 1 : 0
  return { path, message: readMessage(path, line.slice(semicolon + 1 + space)) }
}

/**
 * An update as a line without its end.
 * @throws SapwoodError `BODY_STREAM` for a body that is a stream.
 * @example lineText('a;b', message('one\ntwo', TEXT_TYPE)) // 'a%3Bb; one\\ntwo'
 */
export function lineText(path: string, message: Message): string {
  const update = path.startsWith(UPDATE) ? UPDATE : ''
  return `${update}${escapePath(path)}; ${messageText(path, message)}`
}

/** An update as a line with its end, as a hub sends it. */
export const lineForm: Codec<Uint8Array> = {
  slot: Slot.lineForm,
  encode: (update: Update) => utf8(`${lineText(update.path, update)}\n`),
}

const SPACE = 32

function readMessage(path: string, raw: string): Message {
  if (raw === '') return NOTHING
  if (isControlPath(path)) return makeMessage(unescapeText(raw), TEXT_TYPE)
  // a bare CR is space in JSON, but an end of line where the text goes on verbatim
  if (isJson(raw)) return makeMessage(/[\n\r]/.test(raw) ? compactJson(raw) : raw)
  const text = unescapeText(raw)
  // a document of several lines that was escaped to be one
  if (text !== raw && isJson(text)) return makeMessage(compactJson(text))
  return makeMessage(text, TEXT_TYPE)
}

function messageText(path: string, message: Message): string {
  const { body, type } = message
  if (typeof body === 'string') {
    if (type !== JSON_TYPE) return escapeText(body)
    if (isControlPath(path)) return controlText(path, body)
    return body === '""' ? '' : compactJson(body)
  }
  if (body instanceof Uint8Array) return toBase64(body)
  throw new SapwoodError('BODY_STREAM', `a stream cannot travel on ${path}; read it to its end`)
}

interface Control {
  readonly id?: unknown
  readonly pattern?: unknown
  readonly code?: unknown
  readonly detail?: unknown
}

/** What the hub tells a client, in the words that a line has for it. */
const CONTROL: Readonly<Record<string, (control: Control) => string>> = {
  [HELLO]: ({ id }) => String(id),
  [CONNECTED]: ({ pattern }) => String(pattern),
  [DISCONNECTED]: ({ pattern }) => String(pattern),
  [ERROR]: ({ code, detail }) => `${code} ${detail}`,
}

function controlText(path: string, json: string): string {
  const value: unknown = json === '' ? '' : JSON.parse(json)
  if (typeof value === 'string') return escapeText(value)
  const words = Object.hasOwn(CONTROL, path) ? CONTROL[path] : undefined
  if (words === undefined || typeof value !== 'object' || value === null) return compactJson(json)
  return escapeText(words(value))
}

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\\': '\\\\' }
const UNESCAPED: Readonly<Record<string, string>> = { n: '\n', r: '\r', '\\': '\\' }

function escapeText(text: string): string {
  return /[\n\r\\]/.test(text)
    ? text.replace(/[\n\r\\]/g, (character) => ESCAPES[character] as string)
    : text
}

/** A backslash before anything else stands for itself. */
function unescapeText(text: string): string {
  if (!text.includes('\\')) return text
  return text.replace(/\\([nr\\])/g, (_, letter: string) => UNESCAPED[letter] as string)
}

const PATH_ESCAPES: Readonly<Record<string, string>> = {
  '%': '%25',
  ';': '%3B',
  // no path has these; what a log shows of one that was refused is still one line
  '\n': '%0A',
  '\r': '%0D',
}

function escapePath(path: string): string {
  return /[%;\n\r]/.test(path)
    ? path.replace(/[%;\n\r]/g, (character) => PATH_ESCAPES[character] as string)
    : path
}

function unescapePath(path: string): string {
  if (!path.includes('%')) return path
  return path.replace(/%(3B|25)/gi, (_, code: string) => (code === '25' ? '%' : ';'))
}
