/**
 * A resume storm: the network is back, and all sessions return at the same moment. Each has missed 100 updates of the
 * 100,000 that are retained. What it costs beyond the handshakes is the price of history.
 *
 *     wave 1   fresh sessions connect and subscribe: the handshakes to compare with, code not compiled yet
 *              all break; then everything that they miss is published
 *     wave 2   all come back with their secret and their position
 *              all break
 *     wave 3   fresh sessions again: the handshakes of a warm hub
 */
import type { Audience } from '../audience.ts'
import type { Cost } from '../cost.ts'
import { settled, stopwatch } from '../cost.ts'
import { worst } from '../goal.ts'
import { payload } from '../payload.ts'
import type { Item, Script } from '../peer.ts'
import type { Figures, Run, Scenario } from '../scenario.ts'

const MISSED = 100
const LINES = 100
const IN_FLIGHT = 8

/** Which paths are published, and what session `i` subscribes to, so that each pattern matches `MISSED` updates. */
interface Layout {
  path(update: number, groups: number): string
  pattern(session: number, groups: number): string
}

/** Each update has a path of its own; a group has 100 of them, and so has a leaf. */
const SPARSE = (update: number, groups: number): string => {
  const group = update % groups
  const leaf = (group + Math.floor(update / groups) * 7) % groups
  return `s/${group}/${leaf}`
}

const LAYOUTS: Readonly<Record<string, Layout>> = {
  's/7': {
    path: (update, groups) => `s/${update % groups}`,
    pattern: (session, groups) => `s/${session % groups}`,
  },
  's/7/*': { path: SPARSE, pattern: (session, groups) => `s/${session % groups}/*` },
  's/*/7': { path: SPARSE, pattern: (session, groups) => `s/*/${session % groups}` },
}

export const resume: Scenario = {
  name: 'resume',
  title: 'sessions resume at once, each missed 100 of the retained updates',
  peers: ['sapwood'],
  variants: Object.keys(LAYOUTS),
  columns: [
    { figure: 'sessions', title: 'sessions', digits: 0 },
    { figure: 'retained', title: 'retained', digits: 0 },
    { figure: 'handshakes', title: 'handshakes CPU s', digits: 2 },
    { figure: 'warmHandshakes', title: 'again, warm', digits: 2 },
    { figure: 'resume', title: 'resume CPU s', digits: 2 },
    { figure: 'beyond', title: 'beyond handshakes', digits: 2 },
    { figure: 'wall', title: 'resume wall s', digits: 2 },
    { figure: 'load', title: 'load CPU s', digits: 2 },
  ],
  goal: worst('beyond', 'CPU seconds beyond the handshakes, dearest row,', 2),
  run: storm,
}

async function storm(run: Run): Promise<Figures> {
  const sessions = run.size(10_000, 1000)
  const groups = run.size(1000, 200)
  const layout = LAYOUTS[run.variant] as Layout
  const { peer } = run.target
  const fresh = Array.from({ length: sessions }, (_, i) =>
    peer.subscribe([layout.pattern(i, groups)]),
  )
  const audience = run.audience()

  const handshakes = await wave(run, audience, fresh)
  const comingBack = audience.subscribers.map((subscriber) => resuming(subscriber.heard))
  await allBreak(run, audience)
  await publishMissed(run, layout, groups)

  const before = audience.received
  const resumed = await wave(run, audience, comingBack, () => {
    return audience.received - before >= sessions * MISSED
  })
  if (audience.subscribers.some(({ received }) => received !== MISSED)) {
    throw new Error(`a session did not get exactly ${MISSED} updates`)
  }
  await allBreak(run, audience)
  const warm = await wave(run, audience, fresh)

  return {
    sessions,
    retained: groups * MISSED,
    handshakes: handshakes.server,
    warmHandshakes: warm.server,
    resume: resumed.server,
    beyond: resumed.server - handshakes.server,
    wall: resumed.seconds,
    load: resumed.load,
  }
}

/** All connect at once; it is over when `done`, too, and counts until the server is quiet. */
async function wave(
  run: Run,
  audience: Audience,
  scripts: readonly Script[],
  done: () => boolean = () => true,
): Promise<Cost> {
  const stop = stopwatch(run.target.pid)
  await audience.join(scripts, scripts.length)
  await run.progress.until('what was missed', done)
  const { seconds } = stop()
  await settled(run.target.pid)
  return { ...stop(), seconds }
}

async function allBreak(run: Run, audience: Audience): Promise<void> {
  audience.leave()
  await settled(run.target.pid)
}

async function publishMissed(run: Run, layout: Layout, groups: number): Promise<void> {
  const publisher = run.publisher(2)
  const requests = (groups * MISSED) / LINES
  let sent = 0
  await run.progress.until('publishing', () => {
    while (sent < requests && sent - publisher.answered < IN_FLIGHT) {
      const first = sent++ * LINES
      const items = Array.from({ length: LINES }, (_, i): Item => {
        return { path: layout.path(first + i, groups), message: payload(first + i) }
      })
      publisher.send(run.target.peer.publishMany(items))
    }
    return publisher.answered === requests
  })
  publisher.close()
  await settled(run.target.pid)
}

/** How a session comes back, from what the hub said to it before. */
function resuming(heard: readonly string[]): Script {
  const frames = heard.map(
    (text) => JSON.parse(text) as { path: string; message: unknown; at: string },
  )
  const hello = frames.find(({ path }) => path === '::hello')?.message as { resume: string }
  const message = { version: 1, resume: hello.resume, after: frames.at(-1)?.at }
  const send = [JSON.stringify({ path: '::hello', message })]
  return { target: '/ws', protocol: 'sapwood.v1', steps: [{ send }] }
}
