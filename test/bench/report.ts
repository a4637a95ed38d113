/** Results as tables that read well on a terminal and as Markdown. */
import { cpus, loadavg, release } from 'node:os'
import { pinned } from './children.ts'
import type { Measured } from './measure.ts'
import type { Scenario } from './scenario.ts'

/** The machine, in one line. */
export function machine(): string {
  const cores = cpus()
  const load = loadavg()[0]?.toFixed(1)
  const places = pinned ? 'server and load on a core each' : 'server and load share the cores'
  return `node ${process.versions.node}, ${cores.length} cores (${cores[0]?.model.trim()}), Linux ${release()}, load ${load}; ${places}`
}

/** The table of one scenario, with what its goal asks for and what hindered it. */
export function table(scenario: Scenario, rows: readonly Measured[], quick: boolean): string {
  const compared = scenario.compare !== undefined && rows.length > 1
  const others = compared ? scenario.peers.slice(1) : []
  const head = [
    scenario.variants === undefined ? 'peer' : 'peer, variant',
    ...scenario.columns.map(({ title }) => title),
    ...others.map((name) => `of ${name}`),
  ]
  const good = rows.filter(({ error }) => error === undefined)
  const lines = good.map((row) => [
    row.variant === '' ? row.peer : `${row.peer} ${row.variant}`.trim(),
    ...scenario.columns.map(({ figure, digits }) => number(row.figures[figure], digits)),
    ...others.map((name) => number(ratio(scenario, row, good, name), 3)),
  ])
  return [
    `## ${scenario.name}: ${scenario.title}`,
    '',
    ...aligned([head, ...lines]),
    '',
    ...(quick
      ? ['Quick: smaller than the title says, so the goal is not judged.']
      : goal(scenario, good)),
    ...(scenario.leftOut ?? []),
    ...remarks(rows),
  ].join('\n')
}

function ratio(
  scenario: Scenario,
  row: Measured,
  rows: readonly Measured[],
  name: string,
): number | undefined {
  const other = rows.find(({ peer, variant }) => peer === name && variant === row.variant)
  const figure = scenario.compare ?? ''
  const [mine, theirs] = [row.figures[figure], other?.figures[figure]]
  return mine === undefined || theirs === undefined ? undefined : mine / theirs
}

function goal(scenario: Scenario, rows: readonly Measured[]): string[] {
  const value = scenario.goal?.value(rows)
  if (scenario.goal === undefined || value === undefined || !Number.isFinite(value)) return []
  const { text, most } = scenario.goal
  const limit = number(most, Number.isInteger(most) ? 0 : 2)
  const verdict = value <= most ? 'met' : 'missed'
  return [`Goal: ${text} at most ${limit}: ${number(value, 3)}, ${verdict}.`]
}

/** Percent of a core that others may take before it is worth a word. */
const OTHERS = 30

function remarks(rows: readonly Measured[]): string[] {
  return rows.flatMap(({ peer, variant, figures, error }) => {
    const name = `${peer} ${variant}`.trim()
    if (error !== undefined) return [`${name}: not measured: ${error}`]
    const { serverShare = 0, loadShare = 0, othersShare = 0 } = figures
    if (loadShare > 90 && serverShare < 90) {
      return [`${name}: the load was the bottleneck; of this row only the CPU figures count.`]
    }
    if (othersShare > OTHERS) {
      return [`${name}: other processes were busy; of this row only the CPU figures count.`]
    }
    return []
  })
}

function number(value: number | undefined, digits: number): string {
  if (value === undefined || !Number.isFinite(value)) return '-'
  return value.toLocaleString('en-US', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  })
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, i) =>
    Math.max(...rows.map((row) => row[i]?.length ?? 0), 4),
  )
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const text = rows.map((row) =>
    line(
      row.map((cell, i) =>
        i === 0 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number),
      ),
    ),
  )
  const rule = line(
    widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)),
  )
  return [text[0] as string, rule, ...text.slice(1)]
}
