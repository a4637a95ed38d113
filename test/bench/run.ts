/**
 * `npm run bench`: Sapwood beside plain `ws` and socket.io, on this machine, in this run. See the README beside this
 * file, or `npm run bench -- --help`.
 */
import { parseArgs } from 'node:util'
import { PEERS, SCENARIOS } from './catalogue.ts'
import { pinned } from './children.ts'
import type { Measured } from './measure.ts'
import { measure } from './measure.ts'
import { medians } from './medians.ts'
import { machine, table } from './report.ts'
import type { Scenario } from './scenario.ts'

const HELP = `npm run bench -- [options]
  --quick           small sizes, in a fraction of the time
  --scenario NAME   only this one; repeatable: ${SCENARIOS.map(({ name }) => name).join(', ')}
  --peer NAME       only this one; repeatable: ${PEERS.map(({ name }) => name).join(', ')}
  --runs N          medians of N runs (1)
  --json            one JSON object instead of tables`

const OPTIONS = {
  quick: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
  runs: { type: 'string', default: '1' },
  scenario: { type: 'string', multiple: true },
  peer: { type: 'string', multiple: true },
} as const

const options = readOptions()
const runs = Number(options.runs)
if (options.help) {
  console.log(HELP)
  process.exit(0)
}
if (process.platform !== 'linux') refuse('the benchmark reads /proc and runs on Linux only')
if (!Number.isInteger(runs) || runs < 1 || runs > 100) refuse('--runs is a number from 1 to 100')
known('scenario', options.scenario, SCENARIOS)
known('peer', options.peer, PEERS)

const scenarios = SCENARIOS.filter(({ name }) => options.scenario?.includes(name) ?? true)
const results: { readonly scenario: string; readonly rows: readonly Measured[] }[] = []

if (!options.json) console.log(`${machine()}\n`)
for (const scenario of scenarios) {
  const rows = await rowsOf(scenario)
  results.push({ scenario: scenario.name, rows })
  if (!options.json) console.log(`${table(scenario, rows, options.quick)}\n`)
}
if (options.json) {
  const { quick } = options
  console.log(JSON.stringify({ machine: machine(), pinned, quick, runs, results }))
}
if (results.some(({ rows }) => rows.some(({ error }) => error !== undefined))) process.exitCode = 1

/** Peers take turns, so that a busy minute falls on all of them. */
async function rowsOf(scenario: Scenario): Promise<Measured[]> {
  const rows: Measured[] = []
  const peers = PEERS.filter(({ name }) => scenario.peers.includes(name)).filter(
    ({ name }) => options.peer?.includes(name) ?? true,
  )
  for (let run = 0; run < runs; run++) {
    for (const variant of scenario.variants ?? ['']) {
      for (const peer of scenario.peers.length === 0 ? [undefined] : peers) {
        rows.push(await measure(scenario, variant, peer, options.quick))
      }
    }
  }
  return medians(rows)
}

function readOptions() {
  try {
    return parseArgs({ options: OPTIONS }).values
  } catch (error) {
    return refuse(`${(error as Error).message}\n${HELP}`)
  }
}

function known(
  option: string,
  names: readonly string[] | undefined,
  list: readonly { readonly name: string }[],
): void {
  const all = list.map(({ name }) => name)
  const unknown = names?.find((name) => !all.includes(name))
  if (unknown !== undefined) {
    refuse(`there is no ${option} "${unknown}"; there are ${all.join(', ')}`)
  }
}

function refuse(reason: string): never {
  console.error(reason)
  process.exit(2)
}
