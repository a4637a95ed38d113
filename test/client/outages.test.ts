/**
 * Clients whose hub drains, dies, restarts and is cut off while questions go both ways and updates are published: whatever
 * happens, each promise ends, and each update is taken once by each hub that takes it.
 */
import type { Client } from '@sapwood/client'
import { bodyValue } from '@sapwood/core'
import fc from 'fast-check'
import { type Test, test } from 'tap'
import { connected, faster, Middle, open, type Serving, serve, until } from './real-hub.ts'

const TRANSPORTS = ['ws', 'sse', 'poll'] as const
const HTTP = { poll: { bundle: 5, hold: 500 }, drain: { limit: 60 } }
const HUB = { ask: { wait: 300, timeout: 2_000 } }
/** How a question may end but by its answer. */
const ENDS = /^(CONNECTION_LOST|CLIENT_ABSENT|CLIENT_UNKNOWN|ANSWER_TIMEOUT)$/

const STEPS = ['publish', 'ask', 'ask', 'cut', 'deaf', 'restart', 'drain', 'forget'] as const
type Step = (typeof STEPS)[number]
const script = fc.array(fc.tuple(fc.constantFrom(...STEPS), fc.nat(40)), {
  minLength: 6,
  maxLength: 16,
})

class World {
  readonly t: Test
  readonly #middle: Middle
  #serving: Serving
  /** What each hub has taken. */
  readonly taken: unknown[][] = []
  readonly clients: Client[] = []
  readonly ends: Promise<void>[] = []
  /** What has a receipt. */
  readonly confirmed: number[] = []
  readonly wrong: string[] = []
  #count = 0

  private constructor(t: Test, serving: Serving, middle: Middle) {
    this.t = t
    this.#serving = serving
    this.#middle = middle
    this.#watch(serving)
  }

  static async make(t: Test, transport: (typeof TRANSPORTS)[number]): Promise<World> {
    const serving = await serve(t, HUB, HTTP)
    const world = new World(t, serving, await Middle.to(t, serving.url))
    for (const name of ['a', 'b']) {
      const client = open(t, world.#middle.url, { name, transports: [transport] }, faster(10))
      client.answer('GET echo', async (_context, _data, value = '', wait = '0') => {
        await pause(Number(wait))
        return `${name} ${value}`
      })
      world.clients.push(client)
    }
    await Promise.all(world.clients.map(connected))
    return world
  }

  async step(step: Step, wait: number): Promise<void> {
    if (step === 'publish') this.publish()
    else if (step === 'ask') for (const from of [0, 1]) this.ask(from, wait)
    else if (step === 'cut') this.#middle.cut()
    else if (step === 'deaf') await this.#deafen(wait)
    else if (step === 'forget')
      for (const session of [...this.#serving.hub.sessions])
        session.end({ reason: 'dead', retryAfter: 1 })
    else await this.#restart(step === 'drain')
    await pause(wait / 4)
  }

  publish(): void {
    const said = ++this.#count
    const published = this.#client(said % 2).publish(`n/${said}`, said, { timeout: 200_000 })
    const confirmed = published.then(() => this.confirmed.push(said))
    this.#ends(confirmed, (error) => void this.wrong.push(`publish ${said}: ${error}`))
  }

  ask(from: number, wait: number): void {
    const value = String(++this.#count)
    const to = from === 0 ? 'b' : 'a'
    const asked = this.#client(from).ask(`@${to}/echo`, {
      args: [value, String(wait)],
      timeout: 20_000,
    })
    this.#ends(
      asked.then(({ message }) => {
        if (message !== `${to} ${value}`) this.wrong.push(`asked ${value}, got ${message}`)
      }),
      (error) => {
        const { code } = error as { readonly code?: string }
        if (!ENDS.test(code ?? '')) this.wrong.push(`ask ${value}: ${code} ${error}`)
      },
    )
  }

  #client(index: number): Client {
    return this.clients[index] as Client
  }

  #ends(promise: Promise<unknown>, failed: (error: unknown) => void): void {
    this.ends.push(promise.then(() => undefined, failed))
  }

  /** What the hub says in the meantime is lost, receipts and answers with it; and now and then it forgets who said it. */
  async #deafen(wait: number): Promise<void> {
    this.#middle.deaf = true
    this.publish()
    this.ask(0, wait)
    await pause(wait)
    if (wait % 3 === 0) await this.step('forget', 0)
    this.#middle.cut()
    this.#middle.deaf = false
  }

  async #restart(drains: boolean): Promise<void> {
    if (drains) await this.#serving.server.drain()
    await this.#serving.stop()
    this.#serving = await serve(this.t, HUB, HTTP)
    this.#watch(this.#serving)
    this.#middle.target = this.#serving.url
    this.#middle.cut()
  }

  #watch({ hub }: Serving): void {
    const taken: unknown[] = []
    this.taken.push(taken)
    hub.subscribe('n/*', (message) => void taken.push(bodyValue(message)))
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

for (const transport of TRANSPORTS) {
  test(`${transport}, property: through restarts, drains and cuts all that was said ends, and nothing is taken twice`, async (t) => {
    const property = fc.asyncProperty(script, async (steps) => {
      const world = await World.make(t, transport)
      for (const [step, wait] of steps) await world.step(step, wait)
      let isOver = false
      void Promise.all(world.ends).then(() => {
        isOver = true
      })
      await until('all ends', () => isOver, 10_000)
      if (world.wrong.length > 0) throw new Error(world.wrong.join('; '))
      for (const taken of world.taken) {
        if (new Set(taken).size < taken.length) throw new Error(`twice: ${taken}`)
      }
      const all = new Set(world.taken.flat())
      const lost = world.confirmed.filter((said) => !all.has(said))
      if (lost.length > 0) throw new Error(`confirmed and not taken: ${lost}`)
      // and it goes on as if nothing had been
      await Promise.all(world.clients.map(connected))
      for (const [from, to] of ['b', 'a'].entries()) {
        const asked = await world.clients[from]?.ask(`@${to}/echo`, { args: ['x'] })
        if (asked?.message !== `${to} x`) throw new Error(`in the end: ${asked?.message}`)
      }
      await Promise.all(world.clients.map((client) => client.close()))
    })
    await fc.assert(property, { numRuns: 6, endOnFailure: true })
  })
}
