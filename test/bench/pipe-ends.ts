/**
 * Programs that do one job in different ways: HTTP in at a near end, an answer of about 100 bytes, or a body, from a
 * handler at a far end that takes no connections. Each is a process for every end, and what both have used counts.
 */
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Authority } from '@sapwood/pipe'
import { end, startNode } from './children.ts'
import { cpuSeconds } from './cost.ts'
import { programFile } from './peer.ts'

/** What a run needs of certificates: a server's and a client's, for as long as it lasts. */
export class Identities {
  readonly dir: string

  private constructor(dir: string) {
    this.dir = dir
  }

  static async make(): Promise<Identities> {
    const dir = mkdtempSync(join(tmpdir(), 'sapwood-bench-'))
    const authority = await Authority.init(dir)
    for (const name of ['server', 'far']) await authority.issue(name)
    return new Identities(dir)
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true })
  }
}

/** One way to do the job. */
export class Ends {
  /** Where HTTP goes in. */
  readonly port: number
  readonly #children: readonly ChildProcess[]

  constructor(port: number, children: readonly ChildProcess[]) {
    this.port = port
    this.#children = children
  }

  /** Processor seconds of all ends until now. */
  get cpu(): number {
    return this.#children.reduce((sum, { pid }) => sum + cpuSeconds(pid as number), 0)
  }

  async stop(): Promise<void> {
    await Promise.all(this.#children.map(end))
  }
}

/** The handler itself, by node:http, with nothing between. */
export async function directEnds(): Promise<Ends> {
  const [child, [port]] = await start('load', 'pipe-direct')
  return new Ends(port as number, [child])
}

/** socket.io with acknowledgements: the near end asks, the far end is a client of it. */
export async function ackEnds(): Promise<Ends> {
  const [near, [port]] = await start('server', 'acks-server')
  const [far] = await start('load', 'acks-client', `${port}`)
  return new Ends(port as number, [near, far])
}

/** @param isTarget the far end passes on to `directEnds` of its own, which counts too. */
export async function pipeEnds({ dir }: Identities, isTarget = false): Promise<Ends> {
  const [near, [port, pipe]] = await start('server', 'pipe-server', dir, '0')
  const served = isTarget ? await start('load', 'pipe-direct') : undefined
  const [far] = await start('load', 'pipe-client', dir, `${pipe}`, `${served?.[1][0] ?? 0}`)
  const children = served === undefined ? [near, far] : [near, far, served[0]]
  return new Ends(port as number, children)
}

/** Starts one of `peers/`. @returns it, and the numbers in its first line, which says that it is ready. */
export async function start(
  place: 'server' | 'load',
  name: string,
  ...args: readonly string[]
): Promise<readonly [ChildProcess, readonly number[]]> {
  const collect = ['--expose-gc', '--import', programFile('collect-on-signal.js')]
  const child = startNode(place, [...collect, programFile(`peers/${name}.js`), ...args], false)
  const output = child.stdout as NodeJS.ReadableStream
  for await (const line of createInterface({ input: output })) {
    output.resume()
    return [child, line.split(' ').map(Number)]
  }
  throw new Error(`${name} ended before it was ready`)
}
