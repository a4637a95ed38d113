/** A publish looks up who is subscribed: the matcher alone, in process, with 100,000 subscriptions on patterns. */
import { Matcher } from '@sapwood/core'
import { worst } from '../goal.ts'
import type { Figures, Run, Scenario } from '../scenario.ts'

/** How subscription `i` looks: rooms with devices that have values. Each publish finds two to four of them. */
const FORMS: Readonly<Record<string, (i: number) => string>> = {
  'room/7/*': (i) => `room/${i}/*`,
  'room/*/7': (i) => `room/*/${i}`,
  'room/7/**': (i) => `room/${i}/**`,
  'room/7/*/9': (i) => `room/${i}/*/${i % 100}`,
}

/** Subscriptions of every form in turn. */
const MIXED = 'all in turn'

export const matching: Scenario = {
  name: 'matching',
  title: 'a publish against 100,000 subscriptions on patterns, the matcher only',
  peers: [],
  variants: [...Object.keys(FORMS), MIXED],
  columns: [
    { figure: 'cost', title: 'us/publish', digits: 3 },
    { figure: 'patterns', title: 'subscriptions', digits: 0 },
    { figure: 'matched', title: 'matched/publish', digits: 2 },
  ],
  goal: worst('cost', 'microseconds per publish, dearest row,', 2),
  run: match,
}

async function match(run: Run): Promise<Figures> {
  const patterns = run.size(100_000, 10_000)
  const matcher = new Matcher<number>()
  const forms = run.variant === MIXED ? Object.values(FORMS) : [form(run.variant)]
  for (let i = 0; i < patterns; i++) {
    const form = forms[i % forms.length] as (i: number) => string
    matcher.add(form(Math.floor(i / forms.length)), i)
  }
  const numbers = Math.floor(patterns / forms.length)
  const paths = Array.from({ length: PATHS }, (_, i) => {
    const number = (i * JUMP) % numbers
    return `room/${number}/${(i * JUMP) % 1000}${i % 2 === 0 ? '' : `/${number % 100}`}`
  })

  publishAll(matcher, paths)
  let matched = 0
  let published = 0
  const before = process.cpuUsage()
  for (const end = performance.now() + run.size(500, 100); performance.now() < end; ) {
    matched += publishAll(matcher, paths)
    published += paths.length
  }
  const { user, system } = process.cpuUsage(before)
  return { cost: (user + system) / published, patterns, matched: matched / published }
}

const PATHS = 20_000
const JUMP = 7919

function form(name: string): (i: number) => string {
  const found = FORMS[name]
  if (found === undefined) throw new Error(`no form ${name}`)
  return found
}

function publishAll(matcher: Matcher<number>, paths: readonly string[]): number {
  let matched = 0
  for (const path of paths) {
    for (const group of matcher.match(path)) matched += group.size
  }
  return matched
}
