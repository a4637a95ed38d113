/**
 * What an invitation says, as one word to copy: where to dial, whom to expect there, as whom to come, and a secret that
 * is good once. Who holds the word may become NAME, so it is a secret until it is spent.
 * Form: `sapwood-join-` and base64url of a JSON array, behind which stand four bytes of its SHA-256, so that a word
 * that was not copied whole is told from a wrong one.
 */
import { createHash } from 'node:crypto'
import type { Fault } from '@sapwood/core'
import { nameFault } from '@sapwood/core'
import { isPath, parseAddress } from '@sapwood/net'

export interface JoinToken {
  /** `HOST:PORT` of the listener. */
  readonly server: string
  /** What its certificate has to be for. */
  readonly serverName: string
  /** Whom the invitation is for. */
  readonly name: string
  /** SHA-256 of the CA's certificate, lower-case hex. */
  readonly authority: string
  /** 16 bytes. */
  readonly secret: Uint8Array
  /** When it runs out, in milliseconds of the wall clock. Whole seconds. */
  readonly until: number
}

export const SECRET_BYTES = 16
const PREFIX = 'sapwood-join-'
const VERSION = 1
const CHECK_BYTES = 4
const LONGEST = 2048
const FINGERPRINT = /^[0-9a-f]{64}$/

/** @example formatJoinToken({ server: 'hub.example.org:8789', serverName: 'server', name: 'alpha', … }) */
export function formatJoinToken(token: JoinToken): string {
  const { server, serverName, name, authority, secret, until } = token
  const fields = [VERSION, server, serverName, name, authority, base64url(secret), until / 1000]
  const json = Buffer.from(JSON.stringify(fields))
  return PREFIX + base64url(Buffer.concat([json, checkOf(json)]))
}

/**
 * Reads what `formatJoinToken` writes; blanks and line ends, as a terminal puts them in, do not count. Whether it has
 * run out is for the server to say, by its own clock.
 */
export function parseJoinToken(text: string): JoinToken | Fault {
  const word = text.replace(/\s/g, '')
  if (!word.startsWith(PREFIX) || word.length > LONGEST) {
    return invalid(`it begins with ${PREFIX}, as sapwood pki invite prints it`)
  }
  const bytes = Buffer.from(word.slice(PREFIX.length), 'base64url')
  const json = bytes.subarray(0, -CHECK_BYTES)
  if (!checkOf(json).equals(bytes.subarray(-CHECK_BYTES))) {
    return invalid('it is not whole; copy it again, to its last letter')
  }
  const fields = fieldsOf(json.toString())
  if (fields[0] !== VERSION)
    return invalid('it is of another version; use the same one at both ends')
  return tokenOf(fields) ?? invalid('something in it makes no sense; have another one made')
}

/** What is kept of a secret. */
export function hashOf(secret: Uint8Array): Buffer {
  return createHash('sha256').update(secret).digest()
}

/** Could this be the address of a listener? */
export function isServerAddress(text: unknown): text is string {
  if (typeof text !== 'string') return false
  try {
    const address = parseAddress(text)
    return !isPath(address) && address.port > 0
  } catch {
    return false
  }
}

function tokenOf([, server, serverName, name, authority, secret, until]: unknown[]):
  | JoinToken
  | undefined {
  if (!isServerAddress(server) || !isName(serverName) || !isName(name)) return undefined
  if (typeof authority !== 'string' || !FINGERPRINT.test(authority)) return undefined
  if (typeof secret !== 'string' || !Number.isSafeInteger(until)) return undefined
  const bytes = new Uint8Array(Buffer.from(secret, 'base64url'))
  if (bytes.length !== SECRET_BYTES) return undefined
  return { server, serverName, name, authority, secret: bytes, until: (until as number) * 1000 }
}

/** Whoever made the check bytes may have made anything. */
function fieldsOf(json: string): unknown[] {
  try {
    const fields: unknown = JSON.parse(json)
    return Array.isArray(fields) ? fields : []
  } catch {
    return []
  }
}

function isName(text: unknown): text is string {
  return typeof text === 'string' && nameFault(text, '') === undefined
}

function checkOf(json: Uint8Array): Buffer {
  return createHash('sha256').update(json).digest().subarray(0, CHECK_BYTES)
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url')
}

function invalid(detail: string): Fault {
  return { code: 'JOIN_TOKEN_INVALID', detail: `this is no token to join with: ${detail}` }
}
