/** What `sapwood ask` does: it asks a connected client and prints its answer. */
import { METHODS } from 'node:http'
import { Code, JSON_TYPE, LONGEST_WAIT, SapwoodError } from '@sapwood/core'
import { isFault, isJson, parseAsk, parseDuration } from '@sapwood/wire'
import type { HubAnswer } from './call-hub.ts'
import { callHub, isProblem, problemOf } from './call-hub.ts'
import type { ClientFlags } from './commands/client-flags.ts'
import { hubKey, hubUrl, readStdin } from './commands/client-flags.ts'
import { failure } from './failure.ts'
import type { Surroundings } from './surroundings.ts'

export interface AskFlags extends ClientFlags {
  readonly verb?: string
  readonly data?: string
  readonly type?: string
  readonly timeout?: string
}

/** How long a hub may take with its usual limits, in milliseconds: 20 s for the client, 30 s for the answer. */
const USUAL = 50_000

/** What the network and a busy hub may add to that. */
const SLACK = 10_000

/** What the codes mean that no handler chooses. */
const MEANING: Readonly<Record<string, string>> = {
  [Code.refused]: 'a rule forbids it',
  [Code.cancelled]: 'it was told to stop',
  [Code.threw]: 'its handler failed',
  [Code.absent]: 'it is not connected',
  [Code.timeout]: 'it did not answer in time',
  [Code.lost]: 'the connection was lost before it answered',
  [Code.unhandled]: 'it has no handler for that verb and noun',
}

const NEWLINE = 10

export type Question = readonly [target: string, noun: string, args: readonly string[]]

/**
 * @throws SapwoodError `USAGE_INVALID`; `ANSWER_NOT_ZERO` for an answer with another code; what `callHub` throws.
 */
export async function ask(
  question: Question,
  flags: AskFlags,
  surroundings: Surroundings,
): Promise<void> {
  const url = hubUrl(flags, surroundings)
  const timeout = timeoutOf(flags)
  const data = await dataOf(flags, surroundings)
  const type = flags.type ?? typeOf(data)
  const answer = await callHub(url, {
    method: verbOf(flags),
    target: targetOf(question),
    key: hubKey(flags, surroundings),
    headers: {
      ...(type === undefined ? {} : { 'content-type': type }),
      ...(timeout === undefined
        ? {}
        : { 'sapwood-timeout': `${timeout}ms`, 'sapwood-wait': `${timeout}ms` }),
    },
    body: data,
    limit: (timeout === undefined ? USUAL : 2 * timeout) + SLACK,
  })
  tell(url, question[0], answer, surroundings)
}

/** The question as a request target: each part percent-encoded, arguments behind `//`. */
function targetOf([target, noun, args]: Question): string {
  const nouns = noun.split('/').map(encodeURIComponent).join('/')
  const tail = args.length === 0 ? '' : `//${args.map(encodeURIComponent).join('/')}`
  const rest = `/${encodeURIComponent(target)}/${nouns}${tail}`
  const question = parseAsk(rest)
  if (!isFault(question)) return `/client${rest}`
  const next = 'write it like: sapwood ask fileserver files/list one two'
  throw failure('USAGE_INVALID', `cannot ask that: ${question.detail}`, next)
}

function verbOf({ verb = 'GET' }: AskFlags): string {
  const known = verb.toUpperCase()
  // CONNECT asks a proxy for a tunnel, whatever else is said
  if (METHODS.includes(known) && known !== 'CONNECT') return known
  const next = 'use GET, PUT, POST, PATCH, DELETE or another verb of HTTP'
  throw failure('USAGE_INVALID', `--verb: ${JSON.stringify(verb)} is no verb`, next)
}

function timeoutOf({ timeout }: AskFlags): number | undefined {
  if (timeout === undefined) return undefined
  const milliseconds = parseDuration(timeout)
  // a hub waits no longer
  if (milliseconds !== undefined && milliseconds > 0 && milliseconds <= LONGEST_WAIT) {
    return milliseconds
  }
  const what = `--timeout: ${JSON.stringify(timeout)} is no time to wait`
  throw failure('USAGE_INVALID', what, 'write it like 250ms, 30s or 5m; 24h at most')
}

async function dataOf(
  { data }: AskFlags,
  surroundings: Surroundings,
): Promise<Uint8Array | undefined> {
  if (data === undefined) return undefined
  return data === '-' ? readStdin(surroundings) : Buffer.from(data)
}

/** What parses as JSON is meant as JSON, as with what is published; who is asked sees anything else as it is. */
function typeOf(data: Uint8Array | undefined): string | undefined {
  return data !== undefined && isJson(new TextDecoder().decode(data)) ? JSON_TYPE : undefined
}

function tell(url: URL, target: string, answer: HubAnswer, { stdout }: Surroundings): void {
  const code = String(answer.headers['x-event-return-code'] ?? '')
  const unanswered = isProblem(answer.headers) ? problemOf(url, answer) : undefined
  // nobody was asked
  if (code === '') throw problemOf(url, answer)
  if (code === String(Code.refused) && unanswered !== undefined) throw unanswered
  if (unanswered === undefined) {
    stdout.write(answer.body)
    if (stdout.isTTY === true && answer.body.at(-1) !== NEWLINE) stdout.write('\n')
  }
  if (code === '0') return
  const reason = MEANING[code] ?? 'a code of its own'
  const detail = unanswered === undefined ? '' : `\n  ${unanswered.code}: ${unanswered.detail}`
  throw new SapwoodError('ANSWER_NOT_ZERO', `${target}: code ${code}, ${reason}${detail}`)
}
