/** The documentation is true: every command, program and conversation in it runs as it stands. */
import { readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from '@sapwood/client'
import { SETTINGS, tomlText } from 'sapwood'
import { type Test, test } from 'tap'
import { Hub, openTab } from '../page/stage.ts'
import { requires } from '../requires.ts'
import type { CodeBlock } from './code-blocks.ts'
import { codeBlocks, placeOf, readPage, TOP } from './code-blocks.ts'
import { HUB, Reader } from './reader.ts'
import { until } from './terminal.ts'

const PAGES = [
  'README.md',
  'docs/how-an-update-travels.md',
  'docs/protocol.md',
  'docs/components.md',
  'docs/connections.md',
  'docs/edge.md',
]
const TUTORIAL = 'docs/tutorial.md'
const ALL = [
  ...PAGES,
  TUTORIAL,
  'docs/errors.md',
  'docs/pki.md',
  'docs/pipe-protocol.md',
  'docs/pipe.md',
]

const NEEDS = requires('bash', 'curl', 'gzip', 'nc')

async function dev(t: Test): Promise<string> {
  return (await Hub.start(t)).url
}

for (const page of PAGES) {
  test(`${page} runs as it stands`, NEEDS, async (t) => {
    const reader = new Reader(t, { url: await dev(t) })
    for await (const { text } of reader.read(page)) t.ok(text)
  })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Waits until a page of the shop shows this state of an order. */
type Shows = (state: string, number: string) => Promise<unknown>

const BROWSER = requires('chromium')

test('DB-22: the tutorial, with a page of its own and in a browser', NEEDS, async (t) => {
  const [hubPort, shopPort] = [await freePort(), await freePort()]
  const [url, shop] = [`http://127.0.0.1:${hubPort}`, `http://127.0.0.1:${shopPort}`]
  const env = { SAPWOOD_HUB_PORT: `${hubPort}`, PORT: `${shopPort}` }
  const reader = new Reader(t, { url, shop, env, dev: await dev(t) })
  const pages: Shows[] = []
  const show = (state: string, number: string): Promise<unknown> =>
    Promise.all(pages.map((shows) => shows(state, number)))
  for await (const { heading, text } of reader.read(TUTORIAL)) {
    if (!heading.startsWith('6.')) continue
    if (text.startsWith('The shop is open')) {
      pages.push(await openOwn(t, shop, url))
      await t.test('a browser signs in', BROWSER, async () => {
        pages.push(await openInBrowser(t, shop))
      })
      await show('packed', '42')
    }
    const [, number] = /orders\/(\d+)\/ship/.exec(text) ?? []
    if (number !== undefined) await show('shipped', number)
  }
  t.equal(pages.length, BROWSER.skip === undefined ? 2 : 1)
})

async function openOwn(t: Test, shop: string, hub: string): Promise<Shows> {
  const signedIn = await fetch(`${shop}/login`, {
    method: 'POST',
    body: new URLSearchParams({ user: 'ada' }),
    redirect: 'manual',
  })
  const cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? ''
  const page = await (await fetch(shop, { headers: { cookie } })).text()
  const states = new Map<string, unknown>()
  for (const [, id = '', state] of page.matchAll(/id="(\d+)">(\w+)/g)) states.set(id, state)
  t.same([...states.keys()], ['41', '42'])
  const ask = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const response = await fetch(shop + path, { ...init, headers: { cookie } })
    if (!response.ok) throw new Error(`${path}: ${response.status}`)
    return response
  }
  const client = connect(hub, {
    authorize: (id, paths) =>
      ask(`/push/connect/${id}`, { method: 'POST', body: JSON.stringify(paths) }),
  })
  t.teardown(() => client.close())
  const show = (order: unknown): void => {
    const { number, state } = order as Record<string, string>
    states.set(number as string, state)
  }
  const subscribed = new Set<string>()
  for (const number of states.keys()) client.subscribe(`orders/${number}`, show)
  client.on('subscribed', async ({ pattern }) => {
    subscribed.add(pattern)
    show(await (await ask(`/${pattern}`)).json())
  })
  await until('both orders are followed', () => subscribed.size === 2)
  return (state, number) => until(`${number} is ${state}`, () => states.get(number) === state)
}

async function openInBrowser(t: Test, shop: string): Promise<Shows> {
  const page = await openTab(t, shop)
  await page.goto('/')
  await page.getByRole('button', { name: 'Sign in' }).click()
  return (state, number) => page.locator(`td[id="${number}"]`, { hasText: state }).waitFor()
}

test('the tutorial adds its blocks to the shop, and nothing else', async (t) => {
  let left = linesOf(readPage('docs/tutorial/shop-with-push.js'))
  const added = codeBlocks(TUTORIAL).filter(({ words }) => words[0] === 'shop')
  t.equal(added.length, 4)
  for (const block of added) {
    t.ok(left.includes(linesOf(block.text)), placeOf(block))
    left = left.replace(linesOf(block.text), '')
  }
  t.equal(withoutHeader(left), withoutHeader(linesOf(readPage('docs/tutorial/shop.js'))))
})

/** The lines that say something, without indentation: a page shows part of a program without the rest around it. */
function linesOf(program: string): string {
  const lines = program.split('\n').map((line) => line.trim())
  return lines.map((line) => (line === '' ? '' : `${line}\n`)).join('')
}

function withoutHeader(program: string): string {
  return program.slice(program.indexOf('*/'))
}

test('the page in the README shows what is published', requires('chromium'), async (t) => {
  const url = await dev(t)
  const [block] = codeBlocks('README.md').filter(({ language }) => language === 'html')
  const html = (block as CodeBlock).text.replaceAll(HUB, url)
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html' }).end(html)
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  const page = await openTab(t, `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  await page.goto('/')
  await until('the page follows', async () => {
    const clients = (await (await fetch(`${url}/client`)).json()) as { patterns: string[] }[]
    return clients.some(({ patterns }) => patterns.includes('rooms/*'))
  })
  await fetch(`${url}/update/rooms/lobby`, {
    method: 'PUT',
    body: '{"text":"hello"}',
    headers: JSON_BODY,
  })
  await page.getByText('rooms/lobby: hello').waitFor()
})

const JSON_BODY = { 'Content-Type': 'application/json' }

test('the interface in the documentation is the one in the source', async (t) => {
  const [block] = codeBlocks('docs/components.md').filter(({ language }) => language === 'ts')
  const source = readPage('packages/core/src/component.ts').replaceAll(/\/\*\*[\s\S]*?\*\/\s*/g, '')
  t.ok(source.includes(`export ${(block as CodeBlock).text}`), source)
})

test('every setting stands in the protocol, with its default', async (t) => {
  const rows = [
    ...readPage('docs/protocol.md').matchAll(/^\| `([a-z_]+\.[a-z_]+)` +\| (.+?) +\| .+ \|$/gm),
  ]
  t.same(
    rows.map(([, key, fallback]) => [key, fallback]),
    SETTINGS.map(({ key, fallback }) => [key, fallbackText(fallback)]),
  )
})

test('every link of the documentation leads somewhere', async (t) => {
  for (const page of ALL) {
    for (const [, link = ''] of readPage(page).matchAll(/\]\(([^)]+)\)/g)) {
      const [file = '', anchor] = link.split('#')
      const target = file === '' ? page : new URL(file, `file:///${page}`).pathname.slice(1)
      const text = readPage(target)
      if (anchor !== undefined) t.ok(anchors(text).includes(anchor), `${page}: ${link}`)
    }
  }
})

function anchors(text: string): string[] {
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading)
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}

test('every code of the source stands among the errors, and no other', async (t) => {
  const listed = [...readPage('docs/errors.md').matchAll(/^\| `([A-Z0-9_]+)` +\|/gm)]
  t.same(listed.map(([, code]) => code).sort(), [...codesOfTheSource()].sort())
})

/** Words in quotes that look like codes and are none: HTTP methods, signals, parts of names. */
const NO_CODES = new Set(
  'GET HEAD PUT POST DELETE OPTIONS TRACE CONNECT SIGINT SIGTERM CONFIG DEBUG TOKEN KEY URL DNS'.split(
    ' ',
  ),
)
/** Codes of Node and of the system, names of environment variables. */
const FOREIGN = /^(E[A-Z]+|ERR_.+|HPE_.+|SAPWOOD_.+)$/

function codesOfTheSource(): Set<string> {
  const codes = new Set<string>()
  for (const name of readdirSync(`${TOP}packages`)) {
    // no user meets what only tests throw
    if (name === 'testkit') continue
    for (const file of readdirSync(`${TOP}packages/${name}/src`, { recursive: true })) {
      if (!String(file).endsWith('.ts')) continue
      const source = readPage(`packages/${name}/src/${file}`).replaceAll(/\/\*\*[\s\S]*?\*\//g, '')
      for (const [, code = ''] of source.matchAll(/'([A-Z][A-Z0-9]{2,}(?:_[A-Z0-9]+)*)'/g)) {
        if (!NO_CODES.has(code) && !FOREIGN.test(code)) codes.add(code)
      }
    }
  }
  return codes
}

function fallbackText(fallback: (typeof SETTINGS)[number]['fallback']): string {
  if (Array.isArray(fallback)) return 'none'
  return typeof fallback === 'object' ? tomlText(fallback) : String(fallback)
}
