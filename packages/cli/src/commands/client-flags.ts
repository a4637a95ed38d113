/** The flags of the commands that talk to a running hub: where it is, and who is calling. */
import type { Command } from 'commander'
import { failure } from '../failure.ts'
import { flagHelp } from '../setting-flags.ts'
import type { Surroundings } from '../surroundings.ts'

export interface ClientFlags {
  readonly url?: string
  readonly key?: string
}

const DEFAULT_URL = 'http://127.0.0.1:8787'

export function addClientFlags(command: Command): void {
  command
    .option('--url <url>', flagHelp('address of the hub', DEFAULT_URL, 'SAPWOOD_URL'))
    .option('--key <key>', flagHelp('key of the hub', 'none', 'SAPWOOD_KEY'))
}

/** @throws SapwoodError `USAGE_INVALID` for what is no address of a hub. */
export function hubUrl({ url }: ClientFlags, { env }: Surroundings): URL {
  const text = url ?? (env.SAPWOOD_URL || DEFAULT_URL)
  const parsed = URL.canParse(text) ? new URL(text) : undefined
  if (parsed?.protocol === 'http:' || parsed?.protocol === 'https:') return parsed
  const origin = url === undefined ? 'SAPWOOD_URL' : '--url'
  throw failure(
    'USAGE_INVALID',
    `${origin}: ${JSON.stringify(text)} is no http:// or https:// address`,
    `write it like ${DEFAULT_URL}`,
  )
}

export function hubKey({ key }: ClientFlags, { env }: Surroundings): string | undefined {
  return key ?? (env.SAPWOOD_KEY || undefined)
}

/** All of stdin, for a message or data given as `-`. */
export async function readStdin({ stdin }: Surroundings): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}
