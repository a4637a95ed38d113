/**
 * The scenarios that differ only in who subscribes to what and how it is published: fan-out, posts, batches, and
 * connections with paths of their own.
 */
import { ClosedLoop } from '../closed-loop.ts'
import type { Goal } from '../goal.ts'
import { against } from '../goal.ts'
import { payload } from '../payload.ts'
import type { Item, Peer } from '../peer.ts'
import { SATURATION, saturationFigures } from '../saturation.ts'
import type { Figures, Run, Scenario } from '../scenario.ts'

interface Shape {
  readonly name: string
  readonly title: string
  /** Connections and paths, in full and in a quick run. */
  readonly connections: readonly [full: number, quick: number]
  readonly paths: readonly [full: number, quick: number]
  /** The numbers of the paths that connection `i` subscribes to. */
  own(i: number, paths: number): readonly number[]
  readonly window: number
  /** Connections that publish. */
  readonly publishers: number
  /** Messages per request. */
  readonly batch: number
  readonly goal?: Goal
}

/** Coprime to 100, so that a thousand connections have a thousand different sets. */
const STEPS = [1, 3, 7, 9, 11, 13, 17, 19, 21, 23]
const TEN = Array.from({ length: 10 }, (_, i) => i)

const CPU = 'CPU per delivery'

const SHAPES: readonly Shape[] = [
  {
    name: 'fan-out',
    title: '1,000 subscribers of one path, at most 32 messages under way',
    connections: [1000, 200],
    paths: [1, 1],
    own: () => [0],
    window: 32,
    publishers: 1,
    batch: 1,
    goal: against('socket.io', 'cpu', CPU, 1 / 20),
  },
  {
    name: 'fan-out-1',
    title: 'the same with one message under way: nothing to put together',
    connections: [1000, 200],
    paths: [1, 1],
    own: () => [0],
    window: 1,
    publishers: 1,
    batch: 1,
    goal: against('ws', 'cpu', CPU, 1),
  },
  {
    name: 'posts',
    title: '1,000 subscribers of a path each, one POST per message, at most 256 under way',
    connections: [1000, 200],
    paths: [1000, 200],
    own: (i) => [i],
    window: 256,
    publishers: 8,
    batch: 1,
    goal: against('ws', 'cpu', CPU, 1),
  },
  {
    name: 'batches',
    title: 'the same, 16 messages in each POST (NDJSON)',
    connections: [1000, 200],
    paths: [1000, 200],
    own: (i) => [i],
    window: 256,
    publishers: 8,
    batch: 16,
  },
  {
    name: 'own-ten',
    title: '1,000 connections on ten of 100 paths each, no two alike, at most 64 under way',
    connections: [1000, 200],
    paths: [100, 100],
    own: (i, paths) => {
      const step = STEPS[Math.floor(i / 100) % STEPS.length] as number
      return TEN.map((k) => (i + k * step) % paths)
    },
    window: 64,
    publishers: 8,
    batch: 1,
    goal: against('ws', 'cpu', CPU, 0.25),
  },
]

export const saturating: readonly Scenario[] = SHAPES.map((shape) => ({
  name: shape.name,
  title: shape.title,
  peers: ['sapwood', 'ws', 'socket.io'],
  columns: SATURATION,
  compare: 'cpu',
  ...(shape.goal !== undefined && { goal: shape.goal }),
  run: (run) => saturate(run, shape),
}))

async function saturate(run: Run, shape: Shape): Promise<Figures> {
  const { peer, pid } = run.target
  const connections = run.size(...shape.connections)
  const paths = run.size(...shape.paths)
  const scripts = Array.from({ length: connections }, (_, i) =>
    peer.subscribe(shape.own(i, paths).map((number) => `s/${number}`)),
  )
  const audience = run.audience()
  await audience.join(scripts)
  const loop = new ClosedLoop(run.progress, audience, run.publisher(shape.publishers), {
    requests: requestsFor(peer, paths, shape.batch),
    messages: shape.batch,
    fanOut: (connections / paths) * shape.own(0, paths).length,
    window: shape.window,
  })
  return saturationFigures(await loop.run(pid, run.size(1, 0.3), run.size(2, 0.5)))
}

/** Requests that take each path about equally often, in an order that jumps. */
function requestsFor(peer: Peer, paths: number, batch: number): string[] {
  const count = Math.max(paths, batch)
  const items = Array.from({ length: count * batch }, (_, i): Item => {
    return { path: `s/${(i * JUMP) % paths}`, message: payload(i) }
  })
  if (batch === 1) return items.map((item) => peer.publish(item))
  return Array.from({ length: count }, (_, i) =>
    peer.publishMany(items.slice(i * batch, (i + 1) * batch)),
  )
}

/** A prime beyond every number of paths, which none of them divides. */
const JUMP = 7919
