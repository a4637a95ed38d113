/** `sapwood sub`: prints what is published, a line per message, until it is stopped or has seen enough. */
import { patternFault } from '@sapwood/core'
import type { Command } from 'commander'
import { Option } from 'commander'
import { findHub } from '../call-hub.ts'
import { failure } from '../failure.ts'
import { flagHelp } from '../setting-flags.ts'
import type { Surroundings } from '../surroundings.ts'
import type { ClientFlags } from './client-flags.ts'
import { addClientFlags, hubKey, hubUrl } from './client-flags.ts'

const TRANSPORTS = ['ws', 'sse', 'poll'] as const

interface SubFlags extends ClientFlags {
  readonly token?: string
  readonly json?: true
  readonly count?: string
  readonly after?: string
  readonly transport?: (typeof TRANSPORTS)[number]
}

export function addSubCommand(program: Command, surroundings: Surroundings): void {
  const transport = flagHelp('how to connect: ws, sse or poll', 'the best that works')
  const command = program
    .command('sub')
    .summary('watch messages')
    .description('Prints each message that matches as "path; message", until it is stopped.')
    .argument('<pattern...>', "what to watch, e.g. 'rooms/*' or 'rooms/**'")
    .option('--json', 'print each message as the JSON object of the protocol')
    .option('--count <number>', flagHelp('stop after so many messages', 'never'))
    .option('--after <position>', flagHelp('begin with what was published since', 'now'))
    .addOption(new Option('--transport <name>', transport).choices(TRANSPORTS))
  addClientFlags(command)
  command
    .option('--token <token>', flagHelp('credential of a user', 'none', 'SAPWOOD_TOKEN'))
    .action((patterns: readonly string[], flags: SubFlags) =>
      subscribe(patterns, flags, surroundings),
    )
}

async function subscribe(
  patterns: readonly string[],
  flags: SubFlags,
  surroundings: Surroundings,
): Promise<void> {
  for (const pattern of patterns) requirePattern(pattern)
  const count = countOf(flags)
  const url = hubUrl(flags, surroundings)
  const token = tokenOf(flags, surroundings)
  await findHub(url)
  const [{ connect }, { watch }] = await Promise.all([
    import('@sapwood/client'),
    import('../watch.ts'),
  ])
  const client = connect(url.href, {
    ...(token === undefined ? {} : { token }),
    ...(flags.after === undefined ? {} : { after: flags.after }),
    ...(flags.transport === undefined ? {} : { transports: [flags.transport] }),
  })
  try {
    await watch(client, surroundings, {
      patterns: [...new Set(patterns)],
      json: flags.json === true,
      count,
      url: url.origin,
    })
  } finally {
    await client.close()
  }
}

/** What was said closest to the command counts: flags, then the environment; a token before a key. */
function tokenOf(flags: SubFlags, surroundings: Surroundings): string | undefined {
  const { token, key } = flags
  return token ?? key ?? (surroundings.env.SAPWOOD_TOKEN || hubKey(flags, surroundings))
}

function requirePattern(pattern: string): void {
  const fault = patternFault(pattern)
  if (fault === undefined) return
  const next = "write it like 'rooms/*' (one level) or 'rooms/**' (everything below), in quotes"
  throw failure('USAGE_INVALID', `the pattern ${JSON.stringify(pattern)} ${fault}`, next)
}

function countOf({ count }: SubFlags): number {
  if (count === undefined) return Number.POSITIVE_INFINITY
  const number = Number(count)
  if (/^\d+$/.test(count) && number > 0) return number
  const what = `--count: ${JSON.stringify(count)} is no number of messages`
  throw failure('USAGE_INVALID', what, 'write a whole number from 1')
}
