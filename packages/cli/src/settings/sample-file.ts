/**
 * The settings file that `config init` writes: every setting with its help and default, commented out, and a key.
 * Invariant: it starts a hub as it is, and so it does with every line switched on.
 */
import { environmentName, SECTIONS, SETTINGS } from './table.ts'
import { tomlText } from './toml-text.ts'

const HEAD = `# Settings of the sapwood hub. Start it with: sapwood hub --config FILE
# Lines that begin with # and a name are the defaults. What stands here is overruled by the environment
# (SAPWOOD_SECTION_NAME) and by flags (--set section.name=value). See what counts: sapwood config show
`

/** Lists of tables, shown by an example. */
const EXAMPLES: Readonly<Record<string, string>> = {
  'gate.rule': `
# ${helpOf('gate.rule')}; who is anyone, signed-in, or user:, key:, token:, cert: or pipe: with a name
#[[gate.rule]]
#who = "user:alice"
#may = ["publish", "subscribe", "ask", "answer", "control"]
#path = "rooms/**"
`,
  'bridge.allow': `
# ${helpOf('bridge.allow')}; who is as in a rule, signed-in where nothing is said
#[[bridge.allow]]
#to = "127.0.0.1:6667"
#who = "anyone"
`,
  'edge.route': `
# ${helpOf('edge.route')}; to is tcp://HOST:PORT, unix:PATH, module:FILE#export, hub, line or pipe
#[[edge.route]]
#when = { protocol = "http", path = "/uploads/**", host = "*.example.org", method = "POST" }
#to = "tcp://127.0.0.1:3000"
#rewrite = { host = "app.internal" }
#proxy_protocol = "v2"
`,
  'pipe.rule': `
# ${helpOf('pipe.rule')}; peer is a name, * stands for anything
#[[pipe.rule]]
#peer = "*"
#method = "GET"
#path = "files/**"
#body = "1MiB"
`,
  'session.policy': `
# ${helpOf('session.policy')}: catch-up (the default), conflate, drop-oldest or disconnect
#[[session.policy]]
#path = "prices/**"
#policy = "conflate"
`,
}

/** @param key a fresh secret: who has it may do everything. */
export function sampleFile(key: string): string {
  return (
    HEAD +
    Object.keys(SECTIONS)
      .map((section) => sectionText(section, key))
      .join('')
  )
}

function sectionText(section: string, key: string): string {
  const rows = SETTINGS.filter((setting) => setting.key.startsWith(`${section}.`))
  const lines = rows.map((setting) => {
    const example = EXAMPLES[setting.key]
    if (example !== undefined) return example
    const name = setting.key.slice(section.length + 1)
    const line =
      setting.key === 'hub.key'
        ? `key = ${tomlText([key])}`
        : `#${name} = ${tomlText(setting.fallback)}`
    return `# ${setting.help} (${environmentName(setting.key)})\n${line}\n`
  })
  return `\n# ${SECTIONS[section]}\n[${section}]\n${lines.join('')}`
}

function helpOf(key: string): string {
  return SETTINGS.find((setting) => setting.key === key)?.help ?? ''
}
