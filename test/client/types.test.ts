/** What the compiler promises: `connect<Paths>()` knows the messages of paths, and refuses the rest. */
import {
  type AnyPaths,
  type Client,
  connect,
  type Item,
  type Publisher,
  publisher,
} from '@sapwood/client'
import type { connect as connectOfBundle } from '@sapwood/client/browser'
import { test } from 'tap'
import { twin } from './twin.ts'

interface Order {
  readonly state: 'open' | 'paid'
}

interface Paths {
  'orders/*': Order
  'rooms/*/events': { readonly kind: string }
  'news/**': string
  ping: number
}

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Compiles only if both types are the same. */
function same<A, B>(_same: Equal<A, B>): void {}

test('messages are typed by the map of patterns', (t) => {
  const client = twin().client as unknown as Client<Paths>
  client.subscribe('orders/*', (order) => same<typeof order, Order>(true))
  client.subscribe('orders/42', (order) => same<typeof order, Order>(true))
  client.subscribe('news/**', (text) => same<typeof text, string>(true))
  client.subscribe('news', (text) => same<typeof text, string>(true))
  client.subscribe('news/a/b/c', (text) => same<typeof text, string>(true))
  client.subscribe('rooms/1/events', ({ kind }) => same<typeof kind, string>(true))
  client.subscribe('ping', (n) => same<typeof n, number>(true))
  const id: string = '42'
  client.subscribe(`orders/${id}`, (order) => same<typeof order, Order>(true))
  const somewhere: string = 'ping'
  client.subscribe(somewhere, (any) => same<typeof any, Paths[keyof Paths]>(true))
  client.subscribe('ping', (_, update) => same<typeof update.path, string>(true))

  // @ts-expect-error nothing is declared for orders below that level
  client.subscribe('orders/42/items', () => undefined)
  // @ts-expect-error a wildcard that is not covered
  client.subscribe('orders/**', () => undefined)
  // @ts-expect-error a misspelt path
  client.subscribe('order/42', () => undefined)
  // @ts-expect-error the message is no string
  client.subscribe('orders/42', (order: string) => order)
  // @ts-expect-error there is no such event
  client.on('message', () => undefined)

  const never = (): void => {
    void client.publish('orders/42', { state: 'paid' })
    void client.publish('news/today', 'sunny')
    // @ts-expect-error no such state
    void client.publish('orders/42', { state: 'lost' })
    // @ts-expect-error a text is wanted
    void client.publish('news/today', 42)
    // @ts-expect-error nothing is declared there
    void client.publish('elsewhere', 1)
    // @ts-expect-error a pattern is no path
    void client.publish('orders/*', { state: 'paid' })
    // @ts-expect-error nor where the wildcard has something behind it
    void client.publish('rooms/*/events', { kind: 'opened' })
    void client.publish(somewhere, 1)
    void client.publish(`orders/${id}`, { state: 'open' })
    void client.publish('news/2*3', 'a star inside of a segment is none')

    const back: Publisher<Paths> = publisher<Paths>({ url: 'http://127.0.0.1:8787' })
    void back.update('orders/42', { state: 'paid' })
    // @ts-expect-error no such state
    void back.update('orders/42', { state: 'lost' })
    // @ts-expect-error a pattern is no path
    void back.update('news/**', 'sunny')
    void back.updates([
      { path: 'orders/42', message: { state: 'paid' }, id: 'one' },
      { path: 'news/today', message: 'sunny' },
    ])
    void back.updates(
      ['1', '2'].map((id) => ({ path: `orders/${id}`, message: { state: 'paid' } as const })),
    )
    // @ts-expect-error a misspelt path among several
    void back.updates([
      { path: 'ping', message: 1 },
      { path: 'order/42', message: 1 },
    ])
    // @ts-expect-error no such state
    void back.updates([{ path: 'orders/42', message: { state: 'lost' } }])
    // @ts-expect-error a pattern is no path
    void back.updates([{ path: 'orders/*', message: { state: 'paid' } }])
    const anywhere: Item[] = [{ path: 'what/ever', message: null }]
    void publisher({ url: 'http://127.0.0.1:8787' }).updates(anywhere)
    // @ts-expect-error a publisher has to know where
    publisher({ key: 'k' })
    // as README says it, also where `undefined` is not the same as nothing said (exactOptionalPropertyTypes)
    publisher({ url: 'http://127.0.0.1:8787', key: process.env.SAPWOOD_KEY })
    connect('http://127.0.0.1:8787', { token: process.env.TOKEN, name: process.env.NAME })
  }
  t.type(never, 'function')
  t.end()
})

test('the bundle for pages is typed as the package is', (t) => {
  same<typeof connectOfBundle, typeof connect>(true)
  t.end()
})

test('without a map every path is open, and what comes is unknown', (t) => {
  const client: Client<AnyPaths> = twin().client
  client.subscribe('what/ever', (message) => same<typeof message, unknown>(true))
  client.on('gap', ({ patterns }) => same<typeof patterns, readonly string[]>(true))
  client.answer('GET time', (context, [type, data], ...args) => {
    same<typeof context.signal, AbortSignal>(true)
    same<typeof type, string>(true)
    same<typeof data, unknown>(true)
    same<typeof args, string[]>(true)
    return 1
  })
  t.end()
})
