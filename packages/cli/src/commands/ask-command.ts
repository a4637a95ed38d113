/** `sapwood ask`: asks a connected client and prints its answer. */
import { METHODS } from 'node:http'
import { Code, SapwoodError } from '@sapwood/core'
import { isFault, parseAsk, parseDuration } from '@sapwood/wire'
import type { Command } from 'commander'
import type { HubAnswer } from '../call-hub.ts'
import { callHub, isProblem, problemOf } from '../call-hub.ts'
import { failure } from '../failure.ts'
import { flagHelp } from '../setting-flags.ts'
import type { Surroundings } from '../surroundings.ts'
import type { ClientFlags } from './client-flags.ts'
import { addClientFlags, hubKey, hubUrl, readStdin } from './client-flags.ts'

interface AskFlags extends ClientFlags {
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

export function addAskCommand(program: Command, surroundings: Surroundings): void {
  const command = program
    .command('ask')
    .summary('ask a connected client')
    .description(
      'Asks a connected client and prints the answer. Exit status 1 unless its code is 0.',
    )
    .argument('<target>', 'name or id of the client')
    .argument('<noun>', 'what is asked for, e.g. time, or files/list')
    .argument('[arguments...]', 'arguments, any text')
    .option('--verb <verb>', flagHelp('what to do with it', 'GET'))
    .option('--data <data>', flagHelp('data to send along; - reads it from stdin', 'none'))
    .option('--type <type>', flagHelp('media type of the data', 'JSON if it parses, else text'))
    .option('--timeout <duration>', flagHelp('how long to wait', "the hub's ask.timeout"))
  addClientFlags(command)
  command.action((target: string, noun: string, args: readonly string[], flags: AskFlags) =>
    ask([target, noun, args], flags, surroundings),
  )
}

type Question = readonly [target: string, noun: string, args: readonly string[]]

async function ask(question: Question, flags: AskFlags, surroundings: Surroundings): Promise<void> {
  const url = hubUrl(flags, surroundings)
  const timeout = timeoutOf(flags)
  const answer = await callHub(url, {
    method: verbOf(flags),
    target: targetOf(question),
    key: hubKey(flags, surroundings),
    headers: {
      ...(flags.type === undefined ? {} : { 'content-type': flags.type }),
      ...(timeout === undefined
        ? {}
        : { 'sapwood-timeout': `${timeout}ms`, 'sapwood-wait': `${timeout}ms` }),
    },
    body: await dataOf(flags, surroundings),
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
  if (milliseconds !== undefined && milliseconds > 0) return milliseconds
  const what = `--timeout: ${JSON.stringify(timeout)} is no time to wait`
  throw failure('USAGE_INVALID', what, 'write it like 250ms, 30s or 5m')
}

async function dataOf(
  { data }: AskFlags,
  surroundings: Surroundings,
): Promise<Uint8Array | undefined> {
  if (data === undefined) return undefined
  return data === '-' ? readStdin(surroundings) : Buffer.from(data)
}

function tell(url: URL, target: string, answer: HubAnswer, { stdout }: Surroundings): void {
  const code = String(answer.headers['x-event-return-code'] ?? '')
  // without a code, nobody was asked
  if (code === '') throw problemOf(url, answer)
  const unanswered = isProblem(answer.headers) ? problemOf(url, answer) : undefined
  if (unanswered === undefined) {
    stdout.write(answer.body)
    if (stdout.isTTY === true && answer.body.at(-1) !== NEWLINE) stdout.write('\n')
  }
  if (code === '0') return
  const reason = MEANING[code] ?? 'a code of its own'
  const detail = unanswered === undefined ? '' : `\n  ${unanswered.code}: ${unanswered.detail}`
  throw new SapwoodError('ANSWER_NOT_ZERO', `${target}: code ${code}, ${reason}${detail}`)
}
