/** The way up of one-way transports: numbered posts over a network that loses them, against a model of the hub. */
import { connect, type Platform } from '@sapwood/client'
import { FakeClock } from '@sapwood/testkit'
import fc from 'fast-check'
import { test } from 'tap'
import { type Json, settle } from './twin.ts'

/** What becomes of a post. */
type Fate = 'arrives' | 'is lost on the way' | 'has its answer lost' | 'is refused by a proxy'

/** A hub that takes posts as the protocol says, and watches what a client may not do. */
class ModelHub {
  /** What was applied, in order. */
  readonly applied: Json[] = []
  readonly mistakes: string[] = []
  readonly #fates: Fate[]
  readonly #bodies: string[] = []
  #downward: Json[] = []
  #wake: () => void = () => undefined
  #confirmed = 0

  constructor(fates: readonly Fate[]) {
    this.#fates = [...fates]
  }

  readonly fetch = async (url: unknown, init: RequestInit = {}): Promise<Response> => {
    const [, what, token, count] = new URL(String(url)).pathname.split('/')
    if (what === 'session') return this.#post(Number(count), String(init.body))
    if (token !== undefined) await this.#hold(Number(count), init.signal as AbortSignal)
    const answer = {
      id: 'hub-1',
      updates: this.#downward,
      at: 'e-0',
      reconnectWith: `secret/${this.#confirmed + this.#downward.length}`,
    }
    return new Response(JSON.stringify(answer))
  }

  #post(number: number, body: string): Response {
    const fate = this.#fates.shift() ?? 'arrives'
    if (fate === 'is lost on the way') throw new TypeError('lost')
    if (fate === 'is refused by a proxy') return new Response('busy', { status: 503 })
    const last = this.#bodies.length
    if (number > last + 1) this.mistakes.push(`${number} after ${last}`)
    if (number <= last && this.#bodies[number - 1] !== body) this.mistakes.push(`${number} changed`)
    if (number === last + 1) {
      this.#bodies.push(body)
      const frames: Json[] = [JSON.parse(body)].flat()
      this.applied.push(...frames)
      for (const { reply, id } of frames) {
        if (reply !== undefined) this.#downward.push({ path: '::reply', reply, message: { id } })
      }
      this.#wake()
    }
    if (fate === 'has its answer lost') throw new TypeError('lost')
    return new Response(`{"n":${number}}`)
  }

  async #hold(number: number, signal: AbortSignal): Promise<void> {
    this.#downward = this.#downward.slice(number - this.#confirmed)
    this.#confirmed = Math.max(this.#confirmed, number)
    if (this.#downward.length > 0) return
    await new Promise<void>((resolve, reject) => {
      this.#wake = resolve
      signal.addEventListener('abort', () => reject(signal.reason))
    })
  }
}

function platformOf(hub: ModelHub, clock: FakeClock): Platform {
  let ids = 0
  return {
    clock,
    random: () => 0.5,
    id: () => `id-${++ids}`,
    fetch: hub.fetch as typeof fetch,
    openSocket: () => {
      throw new Error('no sockets in this test')
    },
  }
}

const anyFate = fc.constantFrom<Fate>(
  'arrives',
  'is lost on the way',
  'has its answer lost',
  'is refused by a proxy',
)

test('property: over a network that loses posts and answers, all is applied, in order, none swallowed', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyFate, { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 8 }),
      async (fates, bursts) => {
        const hub = new ModelHub(fates)
        const clock = new FakeClock()
        const client = connect('http://model', { transports: ['poll'] }, platformOf(hub, clock))
        const receipts: Promise<unknown>[] = []
        for (const burst of bursts) {
          for (let n = 0; n < burst; n++) {
            receipts.push(client.publish('a', receipts.length, { timeout: 1e9 }))
          }
          await settle()
          clock.advance(100)
        }
        let isDone = false
        void Promise.all(receipts).then(
          () => {
            isDone = true
          },
          () => undefined,
        )
        for (let round = 0; round < 200 && !isDone; round++) {
          await settle()
          clock.advance(1_000)
        }
        await client.close()
        await Promise.allSettled(receipts)
        const firsts = new Map(hub.applied.map(({ id, message }) => [id, message]))
        const inOrder = [...firsts.values()].every((message, index) => message === index)
        return isDone && inOrder && hub.mistakes.length === 0
      },
    ),
    { numRuns: 100 },
  )
  t.pass()
})

test('a post that is too large for the hub is an error of its message, and the next go on', async (t) => {
  const hub = new ModelHub([])
  const clock = new FakeClock()
  const platform = platformOf(hub, clock)
  const client = connect(
    'http://model',
    { transports: ['poll'] },
    {
      ...platform,
      fetch: (async (url: unknown, init: RequestInit = {}) =>
        String(init.body).length > 10_000
          ? new Response('{"code":"BODY_TOO_LARGE","detail":"too large"}', { status: 413 })
          : hub.fetch(url, init)) as typeof fetch,
    },
  )
  await settle()
  const large = t.rejects(client.publish('a', 'x'.repeat(20_000)), { code: 'MESSAGE_TOO_LARGE' })
  await settle()
  await large
  const small = client.publish('b', 1)
  for (let round = 0; round < 5; round++) {
    await settle()
    clock.advance(1_000)
  }
  await small
  t.match(hub.applied, [{ path: 'b' }])
  await client.close()
})
