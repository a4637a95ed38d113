/** `sapwood pipe`: HTTP to machines behind firewalls, and back, over one connection that each keeps with a server. */
import type { Command } from 'commander'
import { CLIENT_DEFAULTS } from '../pipe/client-defaults.ts'
import type { PipeFlags } from '../pipe/run-pipe.ts'
import { addConfigFlags, addSettingFlags } from '../setting-flags.ts'
import type { SettingKey } from '../settings/table.ts'
import type { Surroundings } from '../surroundings.ts'

/** What both ends have. */
const BOTH: readonly SettingKey[] = [
  'pipe.dir',
  'pipe.name',
  'pipe.http',
  'pipe.handlers',
  'pipe.target',
  'pipe.hooks',
  'pipe.key',
  'pipe.front_host',
]
const SERVER: readonly SettingKey[] = ['pipe.listen', 'pipe.resolver']
const CLIENT: readonly SettingKey[] = ['pipe.server', 'pipe.server_name', 'pipe.join']

export function addPipeCommand(program: Command, surroundings: Surroundings): void {
  const pipe = program
    .command('pipe')
    .summary('HTTP between named machines, over a pipe')
    .description('Keeps a connection of mutual TLS: HTTP asks whoever is at the other end.')
    .usage('server|client')
    .helpCommand(false)
  const server = pipe
    .command('server')
    .description('Takes the pipes of clients. HTTP asks them at /client/NAME/…')
  const client = pipe
    .command('client')
    .description('Keeps a pipe to a server. HTTP asks the server at /server/…')
  for (const [command, keys, defaults] of [
    [server, SERVER, undefined],
    [client, CLIENT, CLIENT_DEFAULTS],
  ] as const) {
    const role = command.name() as 'server' | 'client'
    addSettingFlags(command, [...BOTH, ...keys], defaults)
    addConfigFlags(command)
    command
      .option('--json', 'log JSON lines on a terminal, too')
      .addHelpText('after', '\nAll settings, under [pipe] and [http]: sapwood config show')
      .action(async (flags: PipeFlags) => {
        const { runPipe } = await import('../pipe/run-pipe.ts')
        await runPipe(role, flags, surroundings)
      })
  }
}
