/** RP-22, RP-23, W6: plain HTTP at both ends goes on while the link between them is cut, again and again. */
import { createHash } from 'node:crypto'
import type { AnswerExchange, Answerer, Asker, RequestListener } from '@sapwood/pipe'
import { serveFront } from '@sapwood/pipe'
import { eventually, randomNumbers } from '@sapwood/testkit'
import type { RequestHead } from '@sapwood/wire'
import { type Test, test } from 'tap'
import { Asked, connected, Log, World } from './peer-world.ts'

/** How long it goes on at least, and how often the link breaks, in milliseconds. */
const DURATION = 3_000
const CUT = 150
/** What has to have happened. */
const QUESTIONS = 50
const LINKS = 5

function sumOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Answers with the body that came, and counts. */
class Echo implements Answerer {
  /** How often each was handled. */
  readonly handled = new Map<string, number>()

  request(head: RequestHead, ends: boolean, exchange: AnswerExchange): RequestListener {
    const { target } = head
    this.handled.set(target, (this.handled.get(target) ?? 0) + 1)
    const asked = new Asked(head, ends, exchange)
    asked.onEnd = () => {
      exchange.respond({ status: 200, headers: ['x-target', target], code: 0 }, false)
      exchange.endWith(asked.body)
    }
    if (ends) asked.onEnd()
    return asked
  }
}

async function front(t: Test, asker: Asker, server?: string): Promise<string> {
  const opened = await serveFront({
    listen: '127.0.0.1:0',
    asker,
    ...(server !== undefined && { server }),
  })
  t.teardown(() => opened.close())
  return `http://${opened.address}`
}

test('no GET fails, no POST is handled twice, and every body arrives as it was sent', async (t) => {
  const world = await World.make(t, 'alpha')
  const [atServer, atClient] = [new Echo(), new Echo()]
  const server = await world.server({ answerer: atServer })
  const relay = await world.relay(server)
  const observer = new Log()
  const client = await world.client('alpha', relay.port, { answerer: atClient, observer })
  await connected(client)
  const toClient = `${await front(t, server.asker)}/client/alpha`
  const toServer = `${await front(t, client.asker, 'server')}/server`
  const random = randomNumbers(7)
  const until = performance.now() + DURATION
  let asked = 0
  const isOver = (): boolean =>
    performance.now() > until && asked >= QUESTIONS && relay.connections >= LINKS
  const asking = async (url: string, method: 'GET' | 'POST'): Promise<void> => {
    while (!isOver()) {
      const target = `/${method}/${asked++}`
      const length = Math.floor(random() * (asked % 8 === 0 ? 2_000_000 : 20_000))
      const body = Buffer.alloc(length, target)
      const init = method === 'GET' ? {} : { method, body }
      const response = await fetch(`${url}${target}`, init)
      const found = [response.status, response.headers.get('x-target')]
      const got = new Uint8Array(await response.arrayBuffer())
      if (found.join() !== `200,${target}`)
        throw new Error(`${target}: ${found} ${Buffer.from(got)}`)
      const expected = method === 'GET' ? new Uint8Array(0) : body
      if (sumOf(got) !== sumOf(expected)) throw new Error(`${target}: another body came`)
    }
  }
  // a link that is not there yet is let come, or a slow machine would never have one
  const cutting = setInterval(() => client.connected && relay.cut(), CUT)
  try {
    const methods = ['GET', 'POST', 'POST', 'GET'] as const
    await Promise.all(
      methods.flatMap((method) => [asking(toClient, method), asking(toServer, method)]),
    )
  } finally {
    clearInterval(cutting)
  }
  const handled = [...atServer.handled.values(), ...atClient.handled.values()]
  t.equal(handled.length, asked)
  t.ok(
    handled.every((count) => count === 1),
    'each was handled once',
  )
  t.comment(`${asked} were asked on ${relay.connections} links`)
  t.notOk(
    observer.said.some((said) => said.startsWith('stopped')),
    'it is one session',
  )
  await eventually('nothing is left open', () => server.clients()[0]?.open === 0)
})
