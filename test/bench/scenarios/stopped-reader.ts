/**
 * One subscriber stops reading. It may hold its outbox limit, no more, and must not make the others dearer. Stretches
 * without it and with it alternate, so that what else the machine does falls on both alike.
 */
import type { Audience } from '../audience.ts'
import { ClosedLoop } from '../closed-loop.ts'
import { worst } from '../goal.ts'
import { payload } from '../payload.ts'
import type { Publisher } from '../publisher.ts'
import type { Figures, Run, Scenario } from '../scenario.ts'

const WINDOW = 32
const MEBIBYTE = 1024 * 1024
/** What the stopped one is sent on a path of its own: more than the kernel's buffers and its outbox take. */
const FILL = 24
const PIECE = 256 * 1024

export const stoppedReader: Scenario = {
  name: 'stopped-reader',
  title: '200 subscribers of one path, without and with one more that does not read',
  peers: ['sapwood'],
  columns: [
    { figure: 'without', title: 'server CPU us/delivery without', digits: 3 },
    { figure: 'with', title: 'with', digits: 3 },
    { figure: 'raised', title: 'with / without', digits: 3 },
    { figure: 'outbox', title: 'outbox kB', digits: 0 },
    { figure: 'overflows', title: 'overflows', digits: 0 },
  ],
  goal: worst('raised', 'CPU per delivery to the others, with / without,', 1.1),
  run: stopped,
}

async function stopped(run: Run): Promise<Figures> {
  const { peer, pid } = run.target
  const others = run.size(200, 100)
  const audience = run.audience()
  const publisher = run.publisher(1)
  const script = peer.subscribe(['s/0'])
  await audience.join(Array.from({ length: others }, () => script))
  const loop = new ClosedLoop(run.progress, audience, publisher, {
    requests: [peer.publish({ path: 's/0', message: payload(0) })],
    messages: 1,
    fanOut: others,
    window: WINDOW,
  })

  const without = { server: 0, deliveries: 0 }
  const among = { server: 0, deliveries: 0 }
  await loop.run(pid, run.size(1, 0.3), 0.1)
  let outbox = 0
  for (let round = 0; round < run.size(4, 2); round++) {
    for (const sum of round % 2 === 0 ? [without, among] : [among, without]) {
      const reader = run.audience()
      if (sum === among) await stop(run, reader, publisher)
      const { server, deliveries } = await loop.run(pid, 0.3, run.size(1, 0.5))
      sum.server += server
      sum.deliveries += deliveries
      outbox = Math.max(outbox, await metric(run, 'sapwood_outbox_bytes'))
      reader.leave()
    }
  }
  const [alone, beside] = [without, among].map((sum) => (sum.server / sum.deliveries) * 1e6)
  return {
    without: alone as number,
    with: beside as number,
    raised: (beside as number) / (alone as number),
    outbox: outbox / 1024,
    overflows: await metric(run, 'sapwood_overflows_total'),
  }
}

/** Adds the one that does not read, and fills all that may wait for it. */
async function stop(run: Run, reader: Audience, publisher: Publisher): Promise<void> {
  const { peer } = run.target
  await reader.join([peer.subscribe(['s/0', 's/full'])])
  for (const subscriber of reader.subscribers) subscriber.stopReading()
  const request = peer.publish({ path: 's/full', message: payload(0, PIECE) })
  for (let sent = 0; sent < FILL * MEBIBYTE; sent += PIECE) {
    const wanted = publisher.answered + 1
    publisher.send(request)
    await run.progress.until('an answer', () => publisher.answered >= wanted)
  }
}

/** One number of the hub's own. */
async function metric(run: Run, name: string): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${run.target.port}/metrics`)
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(await answer.text())?.[1])
}
