/** `sapwood pub`: publishes one message and prints the receipt. */
import { isPlainPath, pathFault } from '@sapwood/core'
import type { Command } from 'commander'
import { callHub, problemOf } from '../call-hub.ts'
import { failure } from '../failure.ts'
import { flagHelp } from '../setting-flags.ts'
import type { Surroundings } from '../surroundings.ts'
import type { ClientFlags } from './client-flags.ts'
import { addClientFlags, hubKey, hubUrl, readStdin } from './client-flags.ts'

interface PubFlags extends ClientFlags {
  readonly type?: string
}

/** How long a publish may take, in milliseconds: longer than any body is allowed to. */
const LIMIT = 90_000

export function addPubCommand(program: Command, surroundings: Surroundings): void {
  const command = program
    .command('pub')
    .summary('publish a message')
    .description('Publishes a message and prints its receipt: id, position, how many it reached.')
    .argument('<path>', 'where, e.g. rooms/lobby')
    .argument('[message]', 'JSON or text; - reads it from stdin; nothing is an empty text')
    .option('--type <type>', flagHelp('media type', 'JSON if it parses, else text'))
  addClientFlags(command)
  command.action((path: string, text: string | undefined, flags: PubFlags) =>
    publish(path, text, flags, surroundings),
  )
}

async function publish(
  path: string,
  text: string | undefined,
  flags: PubFlags,
  surroundings: Surroundings,
): Promise<void> {
  const url = hubUrl(flags, surroundings)
  const answer = await callHub(url, {
    method: 'PUT',
    target: `/update/${encodedPath(path)}`,
    key: hubKey(flags, surroundings),
    headers: flags.type === undefined ? {} : { 'content-type': flags.type },
    body: text === '-' ? await readStdin(surroundings) : Buffer.from(text ?? ''),
    limit: LIMIT,
  })
  if (answer.status >= 400) throw problemOf(url, answer)
  surroundings.stdout.write(`${new TextDecoder().decode(answer.body).trimEnd()}\n`)
}

function encodedPath(path: string): string {
  const fault = isPlainPath(path) ? pathFault(path) : 'names no place for messages'
  if (fault !== undefined) {
    const next = 'write it like rooms/lobby; a message goes to one path, never to a pattern'
    throw failure('USAGE_INVALID', `the path ${JSON.stringify(path)} ${fault}`, next)
  }
  return path.split('/').map(encodeURIComponent).join('/')
}
