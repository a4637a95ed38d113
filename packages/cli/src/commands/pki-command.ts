/** `sapwood pki`: who is who on the pipe. Makes a CA, certificates and invitations, checks them and takes them back. */
import type { Command } from 'commander'
import { Option } from 'commander'
import { flagHelp } from '../setting-flags.ts'
import type { Surroundings } from '../surroundings.ts'

export interface PkiFlags {
  readonly dir?: string
  readonly name?: string
  readonly days?: string
  readonly san?: readonly string[]
  readonly out?: string
  readonly crl?: string
  readonly server?: string
  readonly serverName?: string
  readonly expires?: string
}

/** What a command does; loaded when it runs. */
type ActionName = keyof typeof import('../pki/pki-actions.ts')

const DIR = './pki'
const DAYS = '365'

export function addPkiCommand(program: Command, surroundings: Surroundings): void {
  const pki = program
    .command('pki')
    .summary('certificates of the pipe')
    .description('Makes and checks certificates: a machine is who its certificate says.')
    .usage('init|issue|verify|…')
    .helpCommand(false)
  const add = (name: ActionName, summary: string): Command => {
    const command = pki
      .command(name)
      .description(summary)
      .option('--dir <dir>', flagHelp('where the files are', DIR, 'SAPWOOD_PIPE_DIR'))
    command.action(async (...given: readonly unknown[]) => {
      // commander gives the arguments, the flags and the command
      const args = given.slice(0, -2) as readonly string[]
      const { [name]: act } = await import('../pki/pki-actions.ts')
      await act(args, given.at(-2) as PkiFlags, surroundings)
    })
    return command
  }
  add('init', 'Makes a CA, with an empty revocation list.')
    .option('--name <text>', flagHelp('what people see in its certificate', 'Sapwood CA'))
    .option('--days <number>', flagHelp('how long it is valid', '3650'))
  withNames(add('issue', 'Makes a key and a certificate for NAME.').argument('<name>', 'who'))
  add('csr', 'Makes a key, and a request to have it certified elsewhere as NAME.')
    .argument('<name>', 'who')
    .addOption(sanOption())
  withNames(
    add('sign', 'Signs a request. Its names count for nothing: NAME and --san do.').argument(
      '<request>',
      'NAME, for DIR/NAME.csr.pem, or a file NAME.csr.pem elsewhere',
    ),
  )
    .option('--name <name>', flagHelp('who', 'the name of the file'))
    .option('--out <file>', flagHelp('where the certificate goes', 'DIR/NAME.crt.pem'))
  add('verify', 'Checks a certificate as a link would; exit status 1 unless it is good.').argument(
    '<certificate>',
    'NAME, for DIR/NAME.crt.pem, or a file',
  )
  add('revoke', 'Revokes every certificate of NAME; live links end.').argument('<name>', 'who')
  add('install', 'Puts files that were made elsewhere into DIR, after checking all of them.')
    .argument('<key>', 'file of the private key')
    .argument('<certificate>', 'file of the certificate')
    .argument('[ca]', 'file of the certificate of the CA (default: the one in DIR)')
    .option('--name <name>', flagHelp('who', 'the first name in the certificate'))
    .option('--crl <file>', flagHelp('file of the revocation list', 'the one in DIR, if any'))
  add('invite', 'Prints a token with which one machine can join as NAME, once.')
    .argument('<name>', 'who')
    .requiredOption('--server <host:port>', 'where the pipe server listens')
    .option('--server-name <name>', flagHelp('what its certificate is for', 'server'))
    .option('--expires <duration>', flagHelp('how long the token is good', '10m'))
}

function withNames(command: Command): Command {
  return command
    .addOption(sanOption())
    .option('--days <number>', flagHelp('how long it is valid', DAYS))
}

function sanOption(): Option {
  const help = 'further names, e.g. DNS:x,URI:y,IP:z; repeatable'
  return new Option('--san <names>', flagHelp(help, 'none')).argParser(
    (value: string, before: readonly string[] = []) => [...before, value],
  )
}
