/** `sapwood config`: writes, checks and shows settings. */
import { randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'
import { reasonOf } from '@sapwood/core'
import type { Command } from 'commander'
import { failure } from '../failure.ts'
import { addConfigFlags, settingsOf } from '../setting-flags.ts'
import type { Surroundings } from '../surroundings.ts'

/** The file that is meant when none is named. */
const USUAL_FILE = 'sapwood.toml'

export function addConfigCommand(program: Command, surroundings: Surroundings): void {
  const command = program
    .command('config')
    .summary('write, check and show settings')
    .description('Settings come from defaults < file < environment < flags.')
    .usage('init|check|show')
    .helpCommand(false)
  command
    .command('init')
    .description(
      'Writes a settings file with every setting, its help and default, and a fresh key.',
    )
    .argument('[file]', `where; - prints it (default: ${USUAL_FILE})`)
    .action((file: string = USUAL_FILE) => init(file, surroundings))
  command
    .command('check')
    .description('Checks a settings file, and tells everything that is wrong with file and line.')
    .argument('[file]', `the file (default: ${USUAL_FILE})`)
    .action((file: string = USUAL_FILE) => check(file, surroundings))
  const show = command
    .command('show')
    .description('Prints every setting with the origin of its value. Secrets are masked.')
    .option('--json', 'as a JSON object')
  addConfigFlags(show)
  show.action((flags: Readonly<Record<string, unknown>>) => print(flags, surroundings))
}

async function init(file: string, { stdout }: Surroundings): Promise<void> {
  const { sampleFile } = await import('../settings/sample-file.ts')
  const text = sampleFile(randomBytes(24).toString('base64url'))
  if (file === '-') {
    stdout.write(text)
    return
  }
  await create(file, text)
  stdout.write(
    `${file} is written, with a fresh key in it.\n  start the hub: sapwood hub --config ${file}\n`,
  )
}

/** The file holds a key, so nobody else may read it; what stands there already may hold another one. */
async function create(file: string, text: string): Promise<void> {
  try {
    const handle = await open(file, 'wx', 0o600)
    await handle.writeFile(text).finally(() => handle.close())
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') {
      throw failure(
        'FILE_EXISTS',
        `${file} is there already`,
        'name another file, or remove it first',
      )
    }
    const next = 'name a file in a directory that you may write to'
    throw failure('FILE_NOT_WRITTEN', `cannot write ${file}: ${reasonOf(thrown)}`, next)
  }
}

async function check(file: string, surroundings: Surroundings): Promise<void> {
  const { warnings } = await settingsOf({ config: file }, surroundings)
  for (const { text } of warnings) surroundings.stderr.write(`warning: ${text}\n`)
  surroundings.stdout.write(`${file} is in order.\n`)
}

async function print(
  flags: Readonly<Record<string, unknown>>,
  surroundings: Surroundings,
): Promise<void> {
  const settings = await settingsOf(flags, surroundings)
  const { settingsText, shownSettings } = await import('../settings/show-settings.ts')
  const text =
    flags.json === true
      ? `${JSON.stringify(Object.fromEntries(shownSettings(settings)), undefined, 2)}\n`
      : settingsText(settings)
  surroundings.stdout.write(text)
}
