/**
 * One HTTP request to a hub, with its target exactly as given: a URL parser would tidy up what the ask grammar means
 * literally, and would give a GET no body.
 * Invariant: it ends within its limit, and a hub that cannot be reached is told as such.
 */
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import type { Fault } from '@sapwood/core'
import { reasonOf, SapwoodError } from '@sapwood/core'
import { failure } from './failure.ts'

export interface HubCall {
  readonly method: string
  /** Path and query, percent-encoded, from the hub's root. */
  readonly target: string
  readonly key?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | undefined
  /** Milliseconds until the answer has to begin. */
  readonly limit: number
}

export interface HubAnswer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Uint8Array
}

/** A body of this many bytes is sent when the hub wants it: half of one, cut off, would hide why it was refused. */
const LARGE = 64 * 1024
/** How long a hub is waited for that does not say whether it wants the body, in milliseconds. */
const PATIENCE = 1000

/**
 * @throws SapwoodError `HUB_UNREACHABLE`, `USAGE_INVALID` for what no header can carry; what the hub itself answers
 *   is no error here.
 */
export async function callHub(url: URL, call: HubCall): Promise<HubAnswer> {
  const { request } =
    url.protocol === 'https:' ? await import('node:https') : await import('node:http')
  try {
    const sent = request(url, optionsOf(url, call))
    const answer = await answerTo(sent, call.body)
    const chunks: Uint8Array[] = []
    for await (const chunk of answer) chunks.push(chunk)
    // a body that the hub did not want is still to be sent
    if (!sent.writableEnded) sent.destroy()
    return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) }
  } catch (thrown) {
    throw callFailure(url, thrown, call.limit)
  }
}

/**
 * Makes sure that a hub is there, for who would otherwise try again and again in silence.
 * @throws SapwoodError `HUB_UNREACHABLE`, `HUB_REFUSED`
 */
export async function findHub(url: URL): Promise<void> {
  const answer = await callHub(url, { method: 'GET', target: '/health/live', limit: 10_000 })
  if (answer.status !== 200) throw problemOf(url, answer)
}

function optionsOf(
  url: URL,
  { method, target, key, headers, body, limit }: HubCall,
): RequestOptions {
  const length = body?.byteLength
  return {
    method,
    path: url.pathname.replace(/\/$/, '') + target,
    headers: {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(length === undefined ? {} : { 'content-length': length }),
      ...(isLarge(body) ? { expect: '100-continue' } : {}),
      ...headers,
    },
    signal: AbortSignal.timeout(limit),
  }
}

function isLarge(body: Uint8Array | undefined): boolean {
  return body !== undefined && body.byteLength >= LARGE
}

function answerTo(request: ClientRequest, body: Uint8Array | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('error', reject)
    if (!isLarge(body)) {
      request.once('response', resolve).end(body)
      return
    }
    const send = (): void => {
      clearTimeout(timer)
      request.end(body)
    }
    const timer = setTimeout(send, PATIENCE)
    request.once('continue', send)
    request.once('response', (answer) => {
      clearTimeout(timer)
      resolve(answer)
    })
    request.once('close', () => clearTimeout(timer))
    request.flushHeaders()
  })
}

function callFailure(url: URL, thrown: unknown, limit: number): SapwoodError {
  const { name, code } = thrown as NodeJS.ErrnoException
  const options = { cause: thrown }
  if (code === 'ERR_INVALID_CHAR') {
    const next = 'write them in visible ASCII characters'
    return failure('USAGE_INVALID', 'no header can carry this key or type', next, options)
  }
  const reason = reasonOf(thrown)
  const [cause, next] = noAnswer(url.origin, name, code, limit) ??
    noTls(url.origin, code, reason) ?? [`cannot reach the hub at ${url.origin}: ${reason}`, START]
  return failure('HUB_UNREACHABLE', cause, next, options)
}

const START = 'start one with: sapwood dev\n  or say where it is: --url, or SAPWOOD_URL'
const PLAIN = 'write http:// for it, or give the hub a certificate: --tls-cert FILE --tls-key FILE'

function noAnswer(
  origin: string,
  name: string,
  code: string | undefined,
  limit: number,
): readonly [cause: string, next: string] | undefined {
  if (code === 'ECONNREFUSED') return [`nothing listens at ${origin}`, START]
  if (name !== 'AbortError' && name !== 'TimeoutError') return undefined
  const next = 'check that this is the address of a hub, and that nothing on the way holds requests'
  return [`the hub at ${origin} did not answer within ${limit} ms`, next]
}

/** What OpenSSL and Node say of a certificate that they do not believe. */
const CERTIFICATE = /CERT|^UNABLE_TO_VERIFY_LEAF_SIGNATURE$/
/** What OpenSSL says where clear text answers a handshake: a code in newer versions of Node, a text in older ones. */
const CLEAR_TEXT = /wrong.version.number|packet.length.too.long/i

function noTls(
  origin: string,
  code: string | undefined,
  reason: string,
): readonly [cause: string, next: string] | undefined {
  if (CLEAR_TEXT.test(`${code} ${reason}`)) {
    return [`what listens at ${origin} speaks no TLS`, PLAIN]
  }
  if (code === undefined || !CERTIFICATE.test(code)) return undefined
  const next = 'where its CA is one of your own, name its certificate: NODE_EXTRA_CA_CERTS=FILE'
  return [`the certificate of ${origin} is not trusted: ${reason}`, next]
}

/**
 * The error that a problem document of the hub tells, or its bare status.
 * @example if (answer.status >= 400) throw problemOf(url, answer)
 */
export function problemOf(url: URL, { status, headers, body }: HubAnswer): SapwoodError {
  const problem = isProblem(headers) ? problemIn(body) : undefined
  if (problem === undefined) {
    const cause = `${url.origin} answered with status ${status}, and not as a hub does`
    return failure('HUB_REFUSED', cause, 'check the address: --url, or SAPWOOD_URL')
  }
  const next = status === 401 ? '\n  say the key: --key, or SAPWOOD_KEY' : ''
  return new SapwoodError(problem.code, `${problem.detail}${next}`, { status })
}

export function isProblem(headers: HubAnswer['headers']): boolean {
  return headers['content-type']?.startsWith('application/problem+json') === true
}

function problemIn(body: Uint8Array): Fault | undefined {
  try {
    const { code, detail } = JSON.parse(new TextDecoder().decode(body))
    return typeof code === 'string' ? { code, detail: String(detail ?? '') } : undefined
  } catch {
    return undefined
  }
}
