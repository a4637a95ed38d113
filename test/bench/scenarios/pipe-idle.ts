/**
 * What a client of the pipe that only waits holds of the server's memory, beside a connection with mutual TLS and nothing
 * else, and how soon all are back when the server is killed and started again.
 */
import type { ChildProcess } from 'node:child_process'
import { end } from '../children.ts'
import { cpuSeconds, pause, residentBytes, settled } from '../cost.ts'
import { worst } from '../goal.ts'
import { Identities, start } from '../pipe-ends.ts'
import type { Figures, Run, Scenario } from '../scenario.ts'
import { textOf } from './pipe-call.ts'

const KIB = 1024

export const pipeIdle: Scenario = {
  name: 'pipe-idle',
  title: '500 idle clients of the pipe, and a restart of their server',
  peers: [],
  columns: [
    { figure: 'perClient', title: 'RSS kB/client', digits: 1 },
    { figure: 'bare', title: 'of bare mutual TLS', digits: 1 },
    { figure: 'ratio', title: 'of bare', digits: 2 },
    { figure: 'back', title: 's until all are back', digits: 2 },
    { figure: 'storm', title: 'server CPU ms/client', digits: 2 },
  ],
  goal: worst('ratio', 'memory per client as a multiple of bare mutual TLS,', 1.3),
  run: measure,
}

async function measure(run: Run): Promise<Figures> {
  const clients = run.size(500, 50)
  const identities = await Identities.make()
  const { dir } = identities
  const started: ChildProcess[] = []
  const begin = async (...args: Parameters<typeof start>): ReturnType<typeof start> => {
    const [child, said] = await start(...args)
    started.push(child)
    return [child, said]
  }
  try {
    const [tls, [tlsPort]] = await begin('server', 'bare-tls', 'server', dir)
    const before = await collected(tls)
    const [bareClients] = await begin('load', 'bare-tls', 'client', dir, `${tlsPort}`, `${clients}`)
    const bare = ((await collected(tls)) - before) / clients / KIB
    await Promise.all([tls, bareClients].map(end))

    const [server, [front, pipe]] = await begin('server', 'pipe-server', dir, '0')
    const empty = await collected(server)
    await begin('load', 'pipe-client', dir, `${pipe}`, '0', `${clients}`)
    await allThere(front as number, clients)
    const perClient = ((await collected(server)) - empty) / clients / KIB

    server.kill('SIGKILL')
    await pause(1000)
    const begun = performance.now()
    const [again, [newFront]] = await begin('server', 'pipe-server', dir, `${pipe}`)
    const ready = cpuSeconds(again.pid as number)
    await allThere(newFront as number, clients)
    const back = (performance.now() - begun) / 1000
    const storm = ((cpuSeconds(again.pid as number) - ready) * 1000) / clients
    return { perClient, bare, ratio: perClient / bare, back, storm }
  } finally {
    await Promise.all(started.map(end))
    identities.remove()
  }
}

async function allThere(front: number, clients: number): Promise<void> {
  while (Number(await textOf(front, '/clients')) < clients) await pause(50)
}

/** Resident bytes after a collection of garbage. */
async function collected({ pid }: ChildProcess): Promise<number> {
  await settled(pid as number)
  process.kill(pid as number, 'SIGUSR2')
  await pause(300)
  await settled(pid as number)
  return residentBytes(pid as number)
}
