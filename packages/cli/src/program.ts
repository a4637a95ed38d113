/**
 * The command line: every command with its help, and the one place where an error becomes text and a status.
 * Commands load what they need when they run, so that `--help` is quick and a hub starts without its clients' code.
 */
import { Command, CommanderError } from 'commander'
import { addAskCommand } from './commands/ask-command.ts'
import { addConfigCommand } from './commands/config-command.ts'
import { addDevCommand } from './commands/dev-command.ts'
import { addEdgeCommand } from './commands/edge-command.ts'
import { addHubCommand } from './commands/hub-command.ts'
import { addPubCommand } from './commands/pub-command.ts'
import { addSubCommand } from './commands/sub-command.ts'
import { exitStatus, failure, failureText } from './failure.ts'
import type { Surroundings } from './surroundings.ts'
import { versionText } from './version.ts'

const EXAMPLES = `Examples:
  sapwood dev                                  a hub to try things out
  sapwood sub 'rooms/**'                       watch, in another terminal
  sapwood pub rooms/lobby '{"text":"hello"}'   say something
  sapwood ask fileserver cat one two           ask a connected client`

/**
 * Runs one command to its end.
 * @param args what stands behind `sapwood`.
 * @returns the exit status: 0 done, 1 failed, 2 wrong usage or configuration.
 * @example process.exitCode = await run(process.argv.slice(2), process)
 */
export async function run(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const program = commandLine(surroundings)
  if (args.length === 0) {
    surroundings.stderr.write(program.helpInformation())
    return 2
  }
  try {
    await program.parseAsync(args, { from: 'user' })
    return 0
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0
    const error = thrown instanceof CommanderError ? usageFailure(thrown, program, args) : thrown
    surroundings.stderr.write(failureText(error, surroundings.env))
    return exitStatus(error)
  }
}

function commandLine(surroundings: Surroundings): Command {
  const { stdout } = surroundings
  const program = new Command('sapwood')
    .usage('COMMAND [ARGUMENT]…')
    .description(EXAMPLES)
    .helpOption('-h, --help', 'show help')
    .version(versionText(), '-v, --version', 'show version, Node and protocol version')
    .exitOverride()
    .configureHelp({ subcommandTerm: termOf })
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      // errors are told by `run`, in one form for all of them
      writeErr: () => undefined,
      getOutHasColors: () => false,
      getOutHelpWidth: () => 80,
    })
    .addHelpText('before', 'Sapwood carries messages between back ends, browsers and machines.\n')
    .addHelpText(
      'after',
      '\nFlags of a command, their defaults and environment names: sapwood COMMAND --help',
    )
  program.commandsGroup('Start:')
  addDevCommand(program, surroundings)
  addHubCommand(program, surroundings)
  addEdgeCommand(program, surroundings)
  program.commandsGroup('Messages:')
  addPubCommand(program, surroundings)
  addSubCommand(program, surroundings)
  addAskCommand(program, surroundings)
  program.commandsGroup('Setup:')
  addConfigCommand(program, surroundings)
  program.helpCommand(false)
  return program
}

/** @example 'pub <path> [message]' */
function termOf(command: Command): string {
  return `${command.name()} ${command.usage().replace('[options]', '').trim()}`.trim()
}

function usageFailure(
  { code, message }: CommanderError,
  program: Command,
  [first]: readonly string[],
): unknown {
  const known = program.commands.some((command) => command.name() === first)
  const next = `see: sapwood ${known ? `${first} ` : ''}--help`
  // a group of commands without one of them
  if (code === 'commander.help') {
    return failure('USAGE_INVALID', `${first} needs to know what to do`, next)
  }
  const cause = message.replace(/^error: /, '').replace(/\n\(Did (.*)\)$/, '; did $1')
  return failure('USAGE_INVALID', cause, next)
}
