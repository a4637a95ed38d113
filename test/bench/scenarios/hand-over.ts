/** What it costs to look at the first bytes of a connection and hand it over, beside accepting it with node:net alone. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { end, startNode } from '../children.ts'
import { cpuSeconds } from '../cost.ts'
import { worst } from '../goal.ts'
import type { Figures, Run, Scenario } from '../scenario.ts'

const SERVER = fileURLToPath(new URL('../peers/shared-port-server.js', import.meta.url))
const REQUEST = 'GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n'
const AT_ONCE = 32
const ROUNDS = 5

export const handOver: Scenario = {
  name: 'hand-over',
  title: 'connections that say one request, told by three rules, beside accepting alone',
  peers: [],
  variants: ['in process'],
  columns: [
    { figure: 'cost', title: 'µs/connection', digits: 1 },
    { figure: 'alone', title: 'µs alone', digits: 1 },
    { figure: 'ratio', title: 'of alone', digits: 2 },
  ],
  goal: worst('ratio', 'processor time per connection as a multiple of node:net alone,', 1.5),
  run: measure,
}

async function measure(run: Run): Promise<Figures> {
  const count = run.size(8000, 200)
  const children = ['accept', 'hand-over'].map((mode) => startNode('server', [SERVER, mode], false))
  try {
    const ports = await Promise.all(
      children.map(async ({ stdout }) =>
        Number((await once(stdout as NonNullable<typeof stdout>, 'data'))[0]),
      ),
    )
    const spent = [0, 0]
    // in turns, so that a busy machine slows both; the first round warms up
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [index, child] of children.entries()) {
        const before = cpuSeconds(child.pid as number)
        await visits(ports[index] as number, count)
        if (round > 0) spent[index] = (spent[index] ?? 0) + cpuSeconds(child.pid as number) - before
      }
    }
    const [alone = 0, cost = 0] = spent.map((seconds) => (seconds * 1e6) / (count * ROUNDS))
    return { cost, alone, ratio: cost / alone }
  } finally {
    await Promise.all(children.map(end))
  }
}

async function visits(port: number, count: number): Promise<void> {
  let left = count
  const visitor = async (): Promise<void> => {
    while (left-- > 0) {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      socket.end(REQUEST)
      socket.resume()
      await once(socket, 'close')
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, visitor))
}
