/**
 * The command line: every command with its help, and the one place where an error becomes text and a status.
 * A command is loaded when it is asked for, and loads what it needs when it runs: `--help` is quick, and a hub starts
 * without its clients' code.
 */
import { Command, CommanderError } from 'commander'
import { exitStatus, failure, failureText } from './failure.ts'
import type { Surroundings } from './surroundings.ts'
import { versionText } from './version.ts'

const EXAMPLES = `Examples:
  sapwood dev                                  a hub to try things out
  sapwood sub 'rooms/**'                       watch, in another terminal
  sapwood pub rooms/lobby '{"text":"hello"}'   say something
  sapwood ask fileserver cat one two           ask a connected client`

type AddCommand = (program: Command, surroundings: Surroundings) => void

/** Group and name, as the help lists them. */
const COMMANDS: Readonly<Record<string, Readonly<Record<string, () => Promise<AddCommand>>>>> = {
  'Start:': {
    dev: async () => (await import('./commands/dev-command.ts')).addDevCommand,
    hub: async () => (await import('./commands/hub-command.ts')).addHubCommand,
    edge: async () => (await import('./commands/edge-command.ts')).addEdgeCommand,
  },
  'Messages:': {
    pub: async () => (await import('./commands/pub-command.ts')).addPubCommand,
    sub: async () => (await import('./commands/sub-command.ts')).addSubCommand,
    ask: async () => (await import('./commands/ask-command.ts')).addAskCommand,
  },
  'Pipe:': {
    pipe: async () => (await import('./commands/pipe-command.ts')).addPipeCommand,
    pki: async () => (await import('./commands/pki-command.ts')).addPkiCommand,
  },
  'Setup:': {
    config: async () => (await import('./commands/config-command.ts')).addConfigCommand,
  },
}

/**
 * Runs one command to its end.
 * @param args what stands behind `sapwood`.
 * @returns the exit status: 0 done, 1 failed, 2 wrong usage or configuration.
 * @example process.exitCode = await run(process.argv.slice(2), process)
 */
export async function run(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const program = await commandLine(args[0], surroundings)
  if (args.length === 0) {
    surroundings.stderr.write(program.helpInformation())
    return 2
  }
  try {
    await program.parseAsync(args, { from: 'user' })
    return 0
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0
    const error = thrown instanceof CommanderError ? usageFailure(thrown, args) : thrown
    surroundings.stderr.write(failureText(error, surroundings.env))
    return exitStatus(error)
  }
}

/** With all commands, unless `first` names one of them. */
async function commandLine(
  first: string | undefined,
  surroundings: Surroundings,
): Promise<Command> {
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
  for (const [group, commands] of Object.entries(COMMANDS)) {
    program.commandsGroup(group)
    for (const [name, load] of Object.entries(commands)) {
      if (isCommand(first) && name !== first) continue
      const add = await load()
      add(program, surroundings)
    }
  }
  program.helpCommand(false)
  return program
}

function isCommand(first: string | undefined): boolean {
  return Object.values(COMMANDS).some((commands) => Object.keys(commands).includes(first ?? ''))
}

/** @example 'pub <path> [message]' */
function termOf(command: Command): string {
  return `${command.name()} ${command.usage().replace('[options]', '').trim()}`.trim()
}

function usageFailure({ code, message }: CommanderError, [first]: readonly string[]): unknown {
  const next = `see: sapwood ${isCommand(first) ? `${first} ` : ''}--help`
  // a group of commands without one of them
  if (code === 'commander.help') {
    return failure('USAGE_INVALID', `${first} needs to know what to do`, next)
  }
  const cause = message.replace(/^error: /, '').replace(/\n\(Did (.*)\)$/, '; did $1')
  return failure('USAGE_INVALID', cause, next)
}
