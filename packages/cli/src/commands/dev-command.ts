/** `sapwood dev`: a hub for trying things out. */
import type { Command } from 'commander'
import type { DevFlags } from '../run-dev.ts'
import { addConfigFlags, addSettingFlags, TLS_SETTINGS } from '../setting-flags.ts'
import type { Surroundings } from '../surroundings.ts'

export function addDevCommand(program: Command, surroundings: Surroundings): void {
  const command = program
    .command('dev')
    .summary('a hub for trying things out, on this machine only')
    .description('Starts a hub for trying things out: this machine only, no key, with a demo page.')
  addSettingFlags(command, ['hub.port', 'hub.line', ...TLS_SETTINGS])
  command
    .option('--open', 'open the demo page in a browser')
    .option('--json', 'log JSON lines instead of plain words')
  addConfigFlags(command)
  command.action(async (flags: DevFlags) => {
    const { runDev } = await import('../run-dev.ts')
    await runDev(flags, surroundings)
  })
}
