/** `sapwood ask`: asks a connected client and prints its answer. */
import type { Command } from 'commander'
import type { AskFlags } from '../ask-client.ts'
import { flagHelp } from '../setting-flags.ts'
import type { Surroundings } from '../surroundings.ts'
import { addClientFlags } from './client-flags.ts'

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
  command.action(async (target: string, noun: string, args: readonly string[], flags: AskFlags) => {
    const { ask } = await import('../ask-client.ts')
    await ask([target, noun, args], flags, surroundings)
  })
}
