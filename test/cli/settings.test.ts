import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { SapwoodError } from '@sapwood/core'
import { HTTP_DEFAULTS } from '@sapwood/http'
import { SNIFF_DEFAULTS } from '@sapwood/net'
import type { SettingSources, Values } from 'sapwood'
import {
  environmentName,
  exitStatus,
  failureText,
  nearest,
  readSettings,
  readValue,
  SETTINGS,
  sampleFile,
  settingsText,
  shownSettings,
  TABLES,
} from 'sapwood'
import { parse } from 'smol-toml'
import type { Test } from 'tap'
import { test } from 'tap'

async function fileOf(t: Test, text: string, name = 'sapwood.toml'): Promise<string> {
  // testdir() makes the directory anew at each call
  const directory = existsSync(t.testdirName) ? t.testdirName : t.testdir()
  const file = join(directory, name)
  await writeFile(file, text)
  return file
}

/** What is set in a section, under the names that programs use. */
function section(values: Values, name: string): Record<string, unknown> {
  const camel = (key: string): string =>
    key.slice(name.length + 1).replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())
  return Object.fromEntries(
    Object.entries(values)
      .filter(([key]) => key.startsWith(`${name}.`))
      .map(([key, value]) => [camel(key), value]),
  )
}

async function problemsOf(sources: SettingSources): Promise<readonly string[]> {
  try {
    await readSettings(sources)
    return []
  } catch (thrown) {
    const { code, detail } = thrown as SapwoodError
    if (code !== 'CONFIG_INVALID') throw thrown
    return detail
      .split('\n')
      .slice(1)
      .map((line) => line.trim())
  }
}

test('without a word the defaults hold, all of them', async (t) => {
  const { values, said } = await readSettings({ env: {} })
  t.equal(values['hub.port'], 8787)
  t.equal(values['poll.bundle'], 250)
  t.equal(values['history.age'], 120_000)
  t.equal(values['history.bytes'], 64 * 1024 * 1024)
  t.equal(values['limits.stream'], 0)
  t.strictSame(values['hub.key'], [])
  for (const { key } of SETTINGS) t.equal(said.get(key)?.origin, 'default', key)
})

test('what holds without a word is what the packages do without one', async (t) => {
  const { values } = await readSettings({ env: {} })
  const { host, port, poll, limits, bridge, drain } = HTTP_DEFAULTS
  t.same([values['hub.host'], values['hub.port']], [host, port])
  t.same(section(values, 'poll'), poll)
  t.match(section(values, 'limits'), limits)
  t.match(section(values, 'bridge'), bridge)
  t.same(section(values, 'drain'), drain)
  t.same(values['edge.sniff'], SNIFF_DEFAULTS)
  // what is said of one of the two leaves the other
  const half = readValue({ bytes: 1_024 }, { kind: 'sniff' })
  t.match(half, { value: { bytes: 1_024, timeout: SNIFF_DEFAULTS.timeout } })
})

test('a flag that two sections have is what the command says that it is', async (t) => {
  const flags = new Map<string, unknown>([
    ['--key', ['k']],
    ['--dir', 'here'],
  ])
  const ofHub = await readSettings({ env: {}, flags, flagKeys: ['hub.key', 'pipe.dir'] })
  t.strictSame(ofHub.values['hub.key'], ['k'])
  t.strictSame(ofHub.values['pipe.key'], [])
  t.same(ofHub.said.get('pipe.dir'), { raw: 'here', origin: '--dir' })
  const ofPipe = await readSettings({ env: {}, flags, flagKeys: ['pipe.key'] })
  t.strictSame([ofPipe.values['hub.key'], ofPipe.values['pipe.key']], [[], ['k']])
  t.equal(ofPipe.values['pipe.dir'], './pki')
})

test('file over defaults, environment over file, flags over environment; each keeps its origin', async (t) => {
  const file = await fileOf(t, '[poll]\nhold = "1s"\nbundle = "2ms"\nexpire = 3\n[hub]\nport = 1\n')
  const { values, said } = await readSettings({
    file,
    env: { SAPWOOD_POLL_BUNDLE: '5ms', SAPWOOD_HUB_PORT: '2', SAPWOOD_POLL_HOLD: '' },
    flags: new Map([['--port', '3']]),
    assignments: ['ask.wait=0'],
  })
  t.equal(values['poll.hold'], 1000)
  t.equal(said.get('poll.hold')?.origin, `${file}:2`)
  t.equal(values['poll.expire'], 3000, 'a bare number is seconds')
  t.equal(values['poll.bundle'], 5)
  t.equal(said.get('poll.bundle')?.origin, 'SAPWOOD_POLL_BUNDLE')
  t.equal(values['hub.port'], 3)
  t.equal(said.get('hub.port')?.origin, '--port')
  t.equal(values['ask.wait'], 0)
  t.equal(said.get('ask.wait')?.origin, '--set')
})

test('a command may have defaults of its own, which the file overrules', async (t) => {
  const own = new Map([['log.updates', { raw: true, origin: 'sapwood dev' }]] as const)
  t.equal((await readSettings({ own, env: {} })).values['log.updates'], true)
  const file = await fileOf(t, '[log]\nupdates = false\n')
  t.equal((await readSettings({ own, file, env: {} })).values['log.updates'], false)
})

test('rules and policies are read from TOML, JSON and the environment', async (t) => {
  const rule = { who: 'user:alice', may: ['publish', 'subscribe'], path: 'rooms/**' }
  const policy = { path: 'prices/**', policy: 'conflate' }
  const peers = [
    { peer: 'cert:spiffe://a/*', method: ['GET', 'put'], body: '1kB' },
    { method: 'GET' },
  ]
  const bridges = [{ to: '127.0.0.1:6667', who: 'anyone' }, { to: '[::1]:80' }]
  const toml = await fileOf(
    t,
    `[[gate.rule]]\nwho = "user:alice"\nmay = ["publish", "subscribe"]\npath = "rooms/**"\n
     [[session.policy]]\npath = "prices/**"\npolicy = "conflate"\n
     [[bridge.allow]]\nto = "127.0.0.1:6667"\nwho = "anyone"\n[[bridge.allow]]\nto = "[::1]:80"\n
     [[pipe.rule]]\npeer = "cert:spiffe://a/*"\nmethod = ["GET", "put"]\nbody = "1kB"\n
     [[pipe.rule]]\nmethod = "GET"\n`,
  )
  const json = await fileOf(
    t,
    JSON.stringify({
      gate: { rule: [rule] },
      session: { policy: [policy] },
      bridge: { allow: bridges },
      pipe: { rule: peers },
    }),
    'a.json',
  )
  const env = {
    SAPWOOD_GATE_RULE: JSON.stringify([rule]),
    SAPWOOD_SESSION_POLICY: JSON.stringify([policy]),
    SAPWOOD_BRIDGE_ALLOW: JSON.stringify(bridges),
    SAPWOOD_PIPE_RULE: JSON.stringify(peers),
  }
  for (const sources of [{ file: toml, env: {} }, { file: json, env: {} }, { env }]) {
    const { values } = await readSettings(sources)
    t.same(values['gate.rule'], [rule])
    t.same(values['session.policy'], [policy])
    t.same(values['bridge.allow'], bridges)
    t.same(values['pipe.rule'], [{ ...peers[0], body: 1000 }, peers[1]])
  }
  const wrong = { env: { SAPWOOD_PIPE_RULE: '[{"method":["GET","a b"]}]' } }
  await t.rejects(readSettings(wrong), { message: /number 1: method: "a b" is no method/ })
})

test('lists are one text, several, or text with commas', async (t) => {
  const file = await fileOf(t, '[hub]\nkey = "one"\npublic = ["a/**", "b/*"]\n')
  const { values } = await readSettings({
    file,
    env: { SAPWOOD_HTTP_ORIGINS: 'https://a.example, http://b.example:81' },
    flags: new Map([['--key', ['two', 'three']]]),
    assignments: ['http.trusted_proxies=["10.0.0.0/8","::1"]'],
  })
  t.strictSame(values['hub.key'], ['two', 'three'])
  t.strictSame(values['hub.public'], ['a/**', 'b/*'])
  t.strictSame(values['http.origins'], ['https://a.example', 'http://b.example:81'])
  t.strictSame(values['http.trusted_proxies'], ['10.0.0.0/8', '::1'])
})

test('all problems of all sources are told at once, each with its place', async (t) => {
  const file = await fileOf(
    t,
    [
      '[pol]', // 1
      'hold = 1', // 2
      '[poll]', // 3
      'hodl = "5s"', // 4
      'bundle = true', // 5
      'expire = "soon"', // 6
      '[hub]', // 7
      'age = "5s"', // 8
      '[[gate.rule]]', // 9
      'who = "nobody-known"', // 10
      'may = ["publish"]', // 11
      'path = "a"', // 12
      '[[session.policy]]', // 13
      'path = "a/**"', // 14
      'policy = "forget"', // 15
      'why = 1', // 16
      '[[bridge.allow]]', // 17
      'to = "*:80"', // 18
    ].join('\n'),
  )
  const problems = await problemsOf({
    file,
    env: { SAPWOOD_HUB_PORT: '99999', SAPWOOD_GATE_RULE: '{' },
    flags: new Map([['--public', ['a//b']]]),
    assignments: ['ask.wiat=1s', 'ask.wait', 'limits.path=513'],
  })
  t.strictSame(
    [...problems].sort(),
    [
      `${file}:5: poll.bundle must be a duration like 250ms, 30s or 5m`,
      `${file}:4: poll.hodl is no setting; did you mean poll.hold?`,
      `${file}:8: hub.age is no setting; did you mean history.age?`,
      `${file}:15: session.policy[1].policy must be one of catch-up, conflate, drop-oldest, disconnect`,
      `${file}:16: session.policy[1].why is not known here; a table has path, policy`,
      `${file}:1: pol is no section; did you mean poll?`,
      'SAPWOOD_GATE_RULE: gate.rule must be a JSON array of objects here',
      '--set: ask.wiat is no setting; did you mean ask.wait?',
      '--set: ask.wait has no value; write ask.wait=…',
      'SAPWOOD_HUB_PORT: hub.port must be at most 65535, not "99999"',
      '--set: limits.path must be at most 512, not "513"',
      '--public: hub.public "a//b" has an empty segment',
      `${file}:9: gate.rule number 1: who: "nobody-known" names nobody; write anyone or user:NAME`,
      `${file}:17: bridge.allow number 1: to: "*:80" is a wildcard; list each destination as HOST:PORT`,
      `${file}:6: poll.expire must be a duration like 250ms, 30s or 5m, not "soon"`,
    ].sort(),
  )
})

test('a rule may mean everybody that there is a way to be known as', async (t) => {
  const everybody = [
    'anyone',
    'signed-in',
    'local',
    'user:alice',
    'key:4f2a',
    'token:alice',
    'cert:alpha',
    'pipe:alpha',
    '*:alice',
  ]
  const rules = everybody.map((who) => ({ who, may: ['publish'], path: '**' }))
  const bridges = everybody.map((who) => ({ to: '127.0.0.1:6667', who }))
  const { values } = await readSettings({
    env: {
      SAPWOOD_GATE_RULE: JSON.stringify(rules),
      SAPWOOD_BRIDGE_ALLOW: JSON.stringify(bridges),
    },
  })
  t.same(values['gate.rule'], rules)
  t.same(values['bridge.allow'], bridges)
})

test('a file that cannot be parsed is told with the line, in both syntaxes', async (t) => {
  const toml = await fileOf(t, '[poll]\nhold = \n')
  t.match(await problemsOf({ file: toml, env: {} }), [`${toml}:2: invalid value`])
  const json = await fileOf(t, '{"poll":\n{"hold": "1s"\n"x": 1}}', 'a.json')
  t.match(await problemsOf({ file: json, env: {} }), [`${json}:3: Expected ',' or '}'`])
  for (const [text, line, says] of [
    ['nope', 1, "Unexpected token 'o'"],
    ['{\n  // a comment\n  "poll": {}\n}\n', 2, "Expected property name or '}'"],
    ['{\n  "poll": {\n    "hold": 30s\n  }\n}\n', 3, "Expected ',' or '}' after property value"],
    ['{\n  "poll": {\n    "hold": half,\n    "bundle": no\n  }\n}\n', 3, "Unexpected token 'h'"],
    [`{\n"poll": ${'\n'.repeat(500)}nothing${'\n'.repeat(500)}}`, 502, "Unexpected token 'o'"],
    ['{\n"poll": {\n\n', 2, "Expected property name or '}'"],
    ['{\n"poll": {}, "hub":\n\n', 2, 'Unexpected end of JSON input'],
    ['{"poll": {}}\n\n}', 3, 'Unexpected non-whitespace character after JSON'],
    ['', 1, 'Unexpected end of JSON input'],
  ] as const) {
    const file = await fileOf(t, text, 'c.json')
    t.same(await problemsOf({ file, env: {} }), [`${file}:${line}: ${says}`])
  }
  const list = await fileOf(t, '[1]', 'b.json')
  t.match(await problemsOf({ file: list, env: {} }), [/b\.json.* must be a table of sections/])
})

test('a file that cannot be read is told, with what to do', async (t) => {
  const missing = join(t.testdir(), 'none.toml')
  const thrown = await readSettings({ file: missing, env: {} }).catch((error) => error)
  t.equal(thrown.code, 'CONFIG_UNREADABLE')
  t.equal(exitStatus(thrown), 2)
  t.match(failureText(thrown), `sapwood config init ${missing}`)
  const binary = join(t.testdirName, 'binary.toml')
  await writeFile(binary, Buffer.from([0x61, 0xff]))
  t.match(await readSettings({ file: binary, env: {} }).catch((error) => error), {
    code: 'CONFIG_UNREADABLE',
  })
  t.match(await readSettings({ file: t.testdirName, env: {} }).catch((error) => error), {
    code: 'CONFIG_UNREADABLE',
  })
})

test('a variable that looks misspelt is told, one that only begins like ours is not', async (t) => {
  const env = {
    SAPWOOD_POL_HOLD: '1s',
    SAPWOOD_KEY: 'k',
    SAPWOOD_SERVICE_HOST: '10.0.0.1',
    SAPWOOD_PORT_8787_TCP_ADDR: '10.0.0.1',
    PATH: '/bin',
  }
  const { warnings } = await readSettings({ env })
  const text = 'SAPWOOD_POL_HOLD is no setting; did you mean SAPWOOD_POLL_HOLD?'
  t.strictSame(warnings, [{ code: 'SETTING_UNKNOWN', text }])
})

test('history has to cover a resume and the heartbeat', async (t) => {
  for (const key of ['session.expire', 'heartbeat.interval', 'heartbeat.timeout']) {
    const problems = await problemsOf({
      env: { SAPWOOD_HISTORY_AGE: '70s', [environmentName(key)]: '71s' },
    })
    t.equal(problems.length, 1)
    t.match(
      problems[0],
      `SAPWOOD_HISTORY_AGE: history.age 70s is shorter than ${key} 71s (${environmentName(key)})`,
    )
  }
  t.strictSame(await problemsOf({ env: { SAPWOOD_HISTORY_AGE: '60s' } }), [])
})

test('no secret is shown, neither in an error nor in config show', async (t) => {
  const secret = 'very secret'
  const thrown = await readSettings({ env: { SAPWOOD_HUB_KEY: secret } }).catch((error) => error)
  t.match(failureText(thrown), 'hub.key may hold only visible ASCII characters')
  t.notMatch(failureText(thrown), secret)
  const settings = await readSettings({ env: { SAPWOOD_HUB_KEY: 's3cret,another' } })
  t.strictSame(shownSettings(settings).get('hub.key')?.value, ['********', '********'])
  t.notMatch(settingsText(settings), /s3cret|another/)
})

test('what config show prints is a settings file that gives the same values', async (t) => {
  const settings = await readSettings({
    env: {
      SAPWOOD_POLL_HOLD: '5',
      SAPWOOD_HISTORY_BYTES: '1kB',
      SAPWOOD_LOG_UPDATES: 'true',
      SAPWOOD_HUB_PORT: '0',
    },
    assignments: ['gate.rule=[{"who":"anyone","may":["ask"],"path":"@a/*"}]'],
    flags: new Map([['--public', ['news/**']]]),
  })
  const text = settingsText(settings)
  t.match(text, /^poll\.hold = "5" +# SAPWOOD_POLL_HOLD$/m)
  t.match(text, /^hub\.port = 0 +# SAPWOOD_HUB_PORT$/m)
  t.match(text, /^hub\.public = \["news\/\*\*"\] +# --public$/m)
  t.match(text, /^ask\.wait = "20s" +# default$/m)
  const again = await readSettings({ file: await fileOf(t, text), env: {} })
  t.same(again.values, settings.values)
})

test('the sample file starts a hub as it is, and with every line switched on', async (t) => {
  const text = sampleFile('a-fresh-key')
  const asIs = await readSettings({ file: await fileOf(t, text), env: {} })
  t.strictSame(asIs.values['hub.key'], ['a-fresh-key'])
  const defaults = (await readSettings({ env: {} })).values
  t.same({ ...asIs.values, 'hub.key': [] }, defaults)
  const file = await fileOf(t, text.replace(/^#(?=\S)/gm, ''), 'all.toml')
  const { values, said } = await readSettings({ file, env: {} })
  for (const { key } of SETTINGS) t.match(said.get(key)?.origin, /all\.toml:\d+$/, key)
  t.equal(values['gate.rule'].length, 1)
  t.equal(values['session.policy'].length, 1)
  t.equal(values['bridge.allow'].length, 1)
  t.ok(parse(await readFile(file, 'utf8')))
})

test('every kind refuses what it is not', (t) => {
  const refused = [
    ['duration', ['', 'soon', '-1s', '25d', '999h', true, Number.NaN]],
    ['size', ['', '1XB', 'none', '-1', 1.5]],
    ['integer', ['', '1.5', '0x10', 1.5, '-1', '1e3', Number.POSITIVE_INFINITY]],
    ['boolean', ['yes', '', 1]],
    ['text', ['', 5]],
    ['level', ['trace', 'INFO']],
    ['keys', ['', 'with space', 'a,,b', '[1]', 'ünicode', 5]],
    ['patterns', ['a//b', '::connect', '@name/noun', 'a/**/b', '']],
    ['origins', ['example.org', 'https://a.example/', 'null', 'file:///x', '*']],
    ['networks', ['10.0.0.0/33', 'localhost', '10.0.0/8', '::1/200', '10.0.0.0/8/8', '']],
  ] as const
  for (const [kind, raws] of refused) {
    for (const raw of raws) t.hasProp(readValue(raw, { kind }), 'fault', `${kind} ${raw}`)
  }
  t.strictSame(readValue('none', { kind: 'size', none: true }), { value: 0 })
  t.match(readValue('0', { kind: 'duration' }), { fault: 'must be at least 1ms' })
  t.end()
})

test('names and environment names of settings are unique, and lists of tables come last in a section', (t) => {
  t.equal(new Set(SETTINGS.map(({ key }) => environmentName(key))).size, SETTINGS.length)
  for (const [index, { key, kind }] of SETTINGS.entries()) {
    if (!TABLES.has(kind)) continue
    t.not(SETTINGS[index + 1]?.key.split('.')[0], key.split('.')[0], key)
  }
  t.end()
})

test('the nearest name is found, and nothing when all are far', (t) => {
  const names = ['history.age', 'history.count', 'poll.hold']
  t.equal(nearest('hisotry.age', names), 'history.age')
  t.equal(nearest('poll.hodl', names), 'poll.hold')
  t.equal(nearest('zebra', names), undefined)
  t.end()
})
