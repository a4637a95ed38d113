/**
 * An HTTP request at one end of a pipe, a handler at the other: 64 at a time, beside that handler asked without anything
 * between, and beside socket.io acknowledgements. All take turns, so that what else the machine does falls on all.
 */
import { worst } from '../goal.ts'
import { HttpLoad } from '../http-load.ts'
import type { Ends } from '../pipe-ends.ts'
import { ackEnds, directEnds, Identities, pipeEnds } from '../pipe-ends.ts'
import type { Figures, Run, Scenario } from '../scenario.ts'

const OPEN = 64

export const pipeHttp: Scenario = {
  name: 'pipe-http',
  title: `HTTP through the pipe, ${OPEN} requests at a time, CPU of all ends`,
  peers: [],
  variants: ['handlers', 'target'],
  columns: [
    { figure: 'cost', title: 'us/request', digits: 1 },
    { figure: 'direct', title: 'node:http direct', digits: 1 },
    { figure: 'acks', title: 'socket.io acks', digits: 1 },
    { figure: 'ratio', title: 'of direct', digits: 2 },
    { figure: 'ofAcks', title: 'of acks', digits: 2 },
  ],
  goal: {
    ...worst('ratio', 'handlers: CPU per request as a multiple of node:http direct,', 1.8),
    value: (rows) => rows.find(({ figures }) => figures.isTarget === 0)?.figures.ratio,
  },
  run: measure,
}

interface Way {
  readonly ends: Ends
  readonly load: HttpLoad
  cpu: number
  answers: number
}

async function measure(run: Run): Promise<Figures> {
  const identities = await Identities.make()
  const isTarget = run.variant === 'target'
  const ways: Way[] = []
  const add = (ends: Ends, path: string): void => {
    ways.push({ ends, load: new HttpLoad(ends.port, path), cpu: 0, answers: 0 })
  }
  try {
    add(await pipeEnds(identities, isTarget), '/client/far/time')
    add(await directEnds(), '/time')
    add(await ackEnds(), '/time')
    const seconds = run.size(2, 0.5)
    // the first round warms up
    for (let round = 0; round <= run.size(3, 1); round++) {
      for (const way of ways) await turn(way, round === 0 ? seconds * 2 : seconds, round > 0)
    }
    const [cost = 0, direct = 0, acks = 0] = ways.map(({ cpu, answers }) => (cpu * 1e6) / answers)
    const ratios = { ratio: cost / direct, ofAcks: cost / acks }
    return { cost, direct, acks, ...ratios, isTarget: isTarget ? 1 : 0 }
  } finally {
    for (const { ends, load } of ways) {
      load.close()
      await ends.stop()
    }
    identities.remove()
  }
}

async function turn(way: Way, seconds: number, counts: boolean): Promise<void> {
  const { ends, load } = way
  await load.open(OPEN)
  const before = ends.cpu
  const answers = await load.count(seconds)
  if (counts) {
    way.answers += answers
    way.cpu += ends.cpu - before
  }
  load.close()
}
