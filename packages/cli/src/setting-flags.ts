/** The flags of commands that start something: those that settings have of their own, `--config` and `--set`. */
import type { Command } from 'commander'
import { Option } from 'commander'
import type { Said } from './settings/layer.ts'
import type { Settings } from './settings/settings.ts'
import type { Setting, SettingKey } from './settings/table.ts'
import { environmentName, flagName, keysOf, SETTINGS } from './settings/table.ts'
import type { Surroundings } from './surroundings.ts'

/** What commander collected, by attribute name. */
type Flags = Readonly<Record<string, unknown>>

/** The environment name of `--config`. */
const CONFIG = 'SAPWOOD_CONFIG'

/** What a hub needs to serve TLS. */
export const TLS_SETTINGS: readonly SettingKey[] = ['hub.tls_cert', 'hub.tls_key', 'hub.tls_ca']

/** The flags of `sapwood hub`. */
export const HUB_SETTINGS: readonly SettingKey[] = [
  'hub.host',
  'hub.port',
  'hub.key',
  'hub.public',
  'hub.line',
  'hub.pipe',
  ...TLS_SETTINGS,
  'pipe.dir',
  'pipe.name',
  'pipe.handlers',
  'pipe.target',
  'pipe.hooks',
]

/**
 * Adds the flags of `keys` to `command`, as the table describes them.
 * @param defaults those that this command has of its own.
 */
export function addSettingFlags(
  command: Command,
  keys: readonly SettingKey[],
  defaults: ReadonlyMap<SettingKey, string> = NONE,
): void {
  for (const setting of SETTINGS) {
    if (setting.flag === undefined || !keys.includes(setting.key)) continue
    const option = new Option(setting.flag, settingHelp(setting, defaults.get(setting.key)))
    command.addOption(isList(setting) ? option.argParser(collect) : option)
  }
}

export function addConfigFlags(command: Command): void {
  command
    .option('--config <file>', `settings, TOML or JSON (default: none, env: ${CONFIG})`)
    .addOption(
      new Option('--set <section.name=value>', 'any other setting; repeatable').argParser(collect),
    )
}

/**
 * @param flagKeys the settings that the flags are for.
 * @throws SapwoodError `CONFIG_INVALID`, `CONFIG_UNREADABLE`
 */
export async function settingsOf(
  flags: Flags,
  { env }: Surroundings,
  own?: ReadonlyMap<SettingKey, Said>,
  flagKeys: readonly SettingKey[] = keysOf('hub'),
): Promise<Settings> {
  const said = new Map<string, unknown>()
  for (const { key, flag } of SETTINGS) {
    if (flag === undefined || !flagKeys.includes(key)) continue
    const option = new Option(flag)
    said.set(flagName(flag), flags[option.attributeName()])
  }
  const { readSettings } = await import('./settings/settings.ts')
  return readSettings({
    env,
    file: textOf(flags.config) ?? (env[CONFIG] || undefined),
    flags: said,
    flagKeys,
    assignments: (flags.set as readonly string[] | undefined) ?? [],
    ...(own === undefined ? {} : { own }),
  })
}

/** `help (default: x, env: Y)`, for a flag that is no setting as well. */
export function flagHelp(help: string, fallback: string, environment?: string): string {
  return `${help} (default: ${fallback}${environment === undefined ? '' : `, env: ${environment}`})`
}

const NONE: ReadonlyMap<SettingKey, string> = new Map()

function settingHelp({ key, help, fallback }: Setting, own?: string): string {
  const shown = own ?? (typeof fallback === 'object' ? 'none' : String(fallback))
  return flagHelp(help, shown, environmentName(key))
}

function isList({ fallback }: Setting): boolean {
  return typeof fallback === 'object'
}

/** Takes one more value of a flag that may be repeated. */
function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
