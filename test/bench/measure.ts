/** One row: a fresh server, a fresh load process, and at most a minute and a half. */
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { end, startNode } from './children.ts'
import type { LoadAnswer, LoadOrder } from './load.ts'
import type { Peer } from './peer.ts'
import { programFile } from './peer.ts'
import type { Row, Scenario } from './scenario.ts'

const LIMIT = 90_000
/** Lets the load ask for a collection before memory is read. */
const COLLECT = ['--expose-gc', '--import', programFile('collect-on-signal.js')]

/** A row that could not be measured says why. */
export type Measured = Row & { readonly variant: string; readonly error?: string }

/** @param peer undefined for a scenario without a server. */
export async function measure(
  scenario: Scenario,
  variant: string,
  peer: Peer | undefined,
  quick: boolean,
): Promise<Measured> {
  const order = { scenario: scenario.name, variant, quick }
  const row = { peer: peer?.name ?? '', variant }
  if (peer === undefined) return { ...row, ...told(await load(order)) }
  const server = startNode('server', [...COLLECT, ...peer.start], false)
  try {
    const port = await readyPort(server.stdout as NodeJS.ReadableStream)
    const answer = await load({
      ...order,
      server: { peer: peer.name, port, pid: server.pid as number },
    })
    return { ...row, ...told(answer) }
  } catch (error) {
    return { ...row, figures: {}, error: (error as Error).message }
  } finally {
    await end(server)
  }
}

function told(answer: LoadAnswer): Pick<Measured, 'figures' | 'error'> {
  return 'error' in answer ? { figures: {}, error: answer.error } : answer
}

async function load(order: LoadOrder): Promise<LoadAnswer> {
  const child = startNode('load', [programFile('load.js'), JSON.stringify(order)], true)
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT)
  let answer: LoadAnswer = {
    error: `the load ended without a result, at the latest after ${LIMIT / 1000} s`,
  }
  child.on('message', (message) => {
    answer = message as LoadAnswer
  })
  await once(child, 'close')
  clearTimeout(timer)
  return answer
}

/** Waits for the line with `"msg":"ready"`, then lets the output run off. */
async function readyPort(output: NodeJS.ReadableStream): Promise<number> {
  const lines = createInterface({ input: output })
  const timer = setTimeout(() => lines.close(), 10_000)
  for await (const line of lines) {
    if (!line.startsWith('{') || !line.includes('"msg":"ready"')) continue
    clearTimeout(timer)
    output.resume()
    return Number(new URL((JSON.parse(line) as { url: string }).url).port)
  }
  clearTimeout(timer)
  throw new Error('the server did not get ready')
}
