/** Calls over one connection without HTTP, 100 bytes each way, beside socket.io acknowledgements, in turns. */
import { get } from 'node:http'
import { worst } from '../goal.ts'
import type { Ends } from '../pipe-ends.ts'
import { ackEnds, Identities, pipeEnds } from '../pipe-ends.ts'
import type { Figures, Run, Scenario } from '../scenario.ts'

export const pipeCall: Scenario = {
  name: 'pipe-call',
  title: 'calls over the pipe without HTTP, CPU of both ends',
  peers: [],
  variants: ['1 at a time', '64 at a time', '512 at a time'],
  columns: [
    { figure: 'cost', title: 'us/call', digits: 1 },
    { figure: 'acks', title: 'socket.io acks', digits: 1 },
    { figure: 'ratio', title: 'of acks', digits: 2 },
    { figure: 'rate', title: 'calls/s', digits: 0 },
  ],
  goal: {
    ...worst('ratio', '64 at a time: CPU per call as a multiple of socket.io acks,', 0.5),
    value: (rows) => rows.find(({ figures }) => figures.open === 64)?.figures.ratio,
  },
  run: measure,
}

async function measure(run: Run): Promise<Figures> {
  const identities = await Identities.make()
  const all: Ends[] = []
  const open = Number.parseInt(run.variant, 10)
  try {
    all.push(await pipeEnds(identities), await ackEnds())
    const seconds = run.size(2, 0.5)
    const [spent, made] = [
      [0, 0],
      [0, 0],
    ]
    const rounds = run.size(3, 1)
    // the first round warms up
    for (let round = 0; round <= rounds; round++) {
      for (const [index, ends] of all.entries()) {
        const before = ends.cpu
        const calls = await callsOf(ends, open, seconds)
        if (round === 0) continue
        spent[index] = (spent[index] ?? 0) + ends.cpu - before
        made[index] = (made[index] ?? 0) + calls
      }
    }
    const [cost = 0, acks = 0] = spent.map((cpu, index) => (cpu * 1e6) / (made[index] as number))
    const rate = (made[0] as number) / (seconds * rounds)
    return { cost, acks, ratio: cost / acks, rate, open }
  } finally {
    for (const ends of all) await ends.stop()
    identities.remove()
  }
}

async function callsOf({ port }: Ends, open: number, seconds: number): Promise<number> {
  return Number(await textOf(port, `/calls/${open}/${seconds}`))
}

/** What a GET brings. */
export function textOf(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path, agent: false }, async (response) => {
      let text = ''
      for await (const part of response.setEncoding('utf8')) text += part
      resolve(text)
    })
    request.on('error', reject)
  })
}
