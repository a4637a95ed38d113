/** `sapwood hub`: a hub for work. */
import type { Command } from 'commander'
import type { HubFlags } from '../run-hub.ts'
import { addConfigFlags, addSettingFlags, HUB_SETTINGS } from '../setting-flags.ts'
import type { Surroundings } from '../surroundings.ts'

export function addHubCommand(program: Command, surroundings: Surroundings): void {
  const command = program
    .command('hub')
    .summary('a hub for work')
    .description('Starts a hub. Who has the key may do everything; anyone may read what is public.')
  addSettingFlags(command, HUB_SETTINGS)
  addConfigFlags(command)
  command
    .option('--json', 'log JSON lines on a terminal, too')
    .addHelpText(
      'after',
      '\nAll settings, their defaults and environment names: sapwood config show',
    )
    .action(async (flags: HubFlags) => {
      const { runHub } = await import('../run-hub.ts')
      await runHub(flags, surroundings)
    })
}
