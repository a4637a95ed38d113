/** Bodies of 100 MB down and up, from and into handlers and through a target, beside node:http without anything between. */
import { get, request as httpRequest } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { blocks } from '../peers/far-handler.ts'
import type { Ends } from '../pipe-ends.ts'
import { directEnds, Identities, pipeEnds } from '../pipe-ends.ts'
import type { Figures, Run, Scenario } from '../scenario.ts'

const MB = 1_000_000

export const pipeBody: Scenario = {
  name: 'pipe-body',
  title: 'a body of 100 MB through the pipe, CPU of all ends',
  peers: [],
  variants: ['handlers, down', 'handlers, up', 'target, down', 'target, up'],
  columns: [
    { figure: 'cost', title: 'ms/MB', digits: 2 },
    { figure: 'direct', title: 'node:http direct, no TLS', digits: 2 },
    { figure: 'ratio', title: 'of direct', digits: 1 },
    { figure: 'rate', title: 'MB/s', digits: 0 },
  ],
  run: measure,
}

async function measure(run: Run): Promise<Figures> {
  const [kind, direction] = run.variant.split(', ')
  const isTarget = kind === 'target'
  const bytes = run.size(100, 10) * MB
  const body = isTarget ? `/client/far/blob/${bytes}` : `/client/far/blob//${bytes}`
  const identities = await Identities.make()
  const all: Ends[] = []
  try {
    all.push(await pipeEnds(identities, isTarget), await directEnds())
    const paths = direction === 'up' ? ['/client/far/sink', '/sink'] : [body, `/blob/${bytes}`]
    const move = direction === 'up' ? send : receive
    const cpu = [0, 0]
    let seconds = 0
    const rounds = run.size(4, 1)
    // the first round warms up
    for (let round = 0; round <= rounds; round++) {
      for (const [index, ends] of all.entries()) {
        const [before, begun] = [ends.cpu, performance.now()]
        await move(ends.port, paths[index] as string, bytes)
        if (round === 0) continue
        cpu[index] = (cpu[index] ?? 0) + ends.cpu - before
        if (index === 0) seconds += (performance.now() - begun) / 1000
      }
    }
    const [cost = 0, direct = 0] = cpu.map((spent) => (spent * 1000 * MB) / (bytes * rounds))
    return { cost, direct, ratio: cost / direct, rate: (bytes * rounds) / MB / seconds }
  } finally {
    for (const ends of all) await ends.stop()
    identities.remove()
  }
}

function receive(port: number, path: string, bytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path, agent: false }, async (response) => {
      let length = 0
      for await (const part of response) length += (part as Buffer).length
      if (length === bytes) resolve()
      else reject(new Error(`${length} bytes came, not ${bytes}`))
    })
    request.on('error', reject)
  })
}

async function send(port: number, path: string, bytes: number): Promise<void> {
  const headers = { 'content-length': bytes, 'content-type': 'application/octet-stream' }
  const options = { host: '127.0.0.1', port, path, agent: false, method: 'POST', headers }
  const request = httpRequest(options)
  const answered = new Promise<string>((resolve, reject) => {
    request.on('error', reject)
    request.on('response', async (response) => {
      let text = ''
      for await (const part of response.setEncoding('utf8')) text += part
      resolve(text)
    })
  })
  await pipeline(Readable.from(blocks(bytes)), request)
  const text = await answered
  if (!text.includes(`"bytes":${bytes}`)) throw new Error(`the answer is ${text.slice(0, 200)}`)
}
