/** `sapwood edge`: many services on one port, without a hub. */
import type { Command } from 'commander'
import type { EdgeFlags } from '../run-edge.ts'
import { addConfigFlags } from '../setting-flags.ts'
import type { Surroundings } from '../surroundings.ts'

export function addEdgeCommand(program: Command, surroundings: Surroundings): void {
  const command = program
    .command('edge')
    .summary('many services on one port')
    .description(
      'Shares a port among services, told apart by the first bytes of a connection: see [edge] in the settings file.',
    )
  addConfigFlags(command)
  command
    .option('--json', 'log JSON lines on a terminal, too')
    .addHelpText('after', '\nRoutes by example: sapwood config init -')
    .action(async (flags: EdgeFlags) => {
      const { runEdge } = await import('../run-edge.ts')
      await runEdge(flags, surroundings)
    })
}
