/**
 * The bridge in a real browser (OR-01, OR-02, OR-08): a page that speaks to a line server, by `sapwood hub` with a
 * settings file as a user writes it.
 */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Page } from 'playwright-core'
import { type Test, test } from 'tap'
import { requires } from '../requires.ts'
import { Hub, openTab, textOf } from './stage.ts'

const needs = requires('chromium')
/** What a back end sends along. */
const KEY = { headers: { authorization: 'Bearer k3y' } }

/** A page with a line of input and a log: it knows sockets and lines, and nothing of Sapwood. */
const PAGE = `<!doctype html><meta charset="utf-8"><title>Lines</title>
<form><input name="line" aria-label="Line"><button>Send</button></form>
<p id="state">connecting</p><ol></ol>
<script type="module">
  const state = document.querySelector('#state')
  const list = document.querySelector('ol')
  const form = document.querySelector('form')
  let socket
  const connect = () => {
    socket = new WebSocket('ws' + location.hash.replace(/^#\\d*/, ''))
    socket.binaryType = 'arraybuffer'
    state.textContent = 'connecting'
    list.replaceChildren()
    const decoder = new TextDecoder()
    let rest = ''
    socket.onopen = () => { state.textContent = 'open' }
    socket.onclose = ({ code, reason }) => { state.textContent = 'closed ' + code + ' ' + reason }
    socket.onmessage = ({ data }) => {
      const lines = (rest + decoder.decode(data, { stream: true })).split('\\r\\n')
      rest = lines.pop()
      for (const line of lines) list.append(Object.assign(document.createElement('li'), { textContent: line }))
    }
  }
  connect()
  onhashchange = connect
  form.onsubmit = (event) => {
    event.preventDefault()
    const { value } = form.line
    if (value === 'close') socket.close(1000)
    else if (value === 'flood') socket.send(new TextEncoder().encode('x'.repeat(300_000) + '\\r\\n'))
    else socket.send(new TextEncoder().encode(value + '\\r\\n'))
    form.reset()
  }
</script>`

/** A server of lines as there were before there were browsers: it greets, answers each line, and knows QUIT. */
class LineServer {
  readonly sockets = new Set<Socket>()
  connections = 0
  name = ''
  readonly #server: Server

  private constructor() {
    this.#server = createServer((socket) => this.#serve(socket))
  }

  static async listen(t: Test): Promise<LineServer> {
    const server = new LineServer()
    server.#server.listen(0, '127.0.0.1')
    await once(server.#server, 'listening')
    server.name = `127.0.0.1:${(server.#server.address() as AddressInfo).port}`
    t.teardown(() => server.stop())
    return server
  }

  stop(): void {
    for (const socket of this.sockets) socket.destroy()
    this.#server.close()
  }

  #serve(socket: Socket): void {
    this.connections++
    this.sockets.add(socket)
    socket.on('close', () => this.sockets.delete(socket))
    socket.on('error', () => undefined)
    socket.write('220 ready\r\n')
    createInterface({ input: socket }).on('line', (line) => {
      if (line === 'QUIT') socket.end('221 bye\r\n')
      else if (line === 'DIE') socket.resetAndDestroy()
      else if (line.length > 1_000) socket.write(`250 ${line.length} characters\r\n`)
      else socket.write(`250 ${line.toUpperCase()}\r\n`)
    })
  }
}

/** A hub that bridges to one of two line servers, and a page from a web server of its own. */
interface Stand {
  readonly hub: Hub
  readonly listed: LineServer
  readonly unlisted: LineServer
  readonly page: Page
  /** Where the page is served; the hub lists this origin. */
  readonly origin: string
}

async function stand(t: Test): Promise<Stand> {
  const pages = createHttpServer((_request, response) => {
    response.setHeader('Content-Type', 'text/html').end(PAGE)
  })
  pages.listen(0, '127.0.0.1')
  await once(pages, 'listening')
  t.teardown(() => pages.closeAllConnections())
  t.teardown(() => pages.close())
  const origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`
  const listed = await LineServer.listen(t)
  const unlisted = await LineServer.listen(t)
  const file = join(t.testdir({}), 'hub.toml')
  await writeFile(
    file,
    `[hub]\nport = 0\nkey = "k3y"\n[http]\norigins = ["${origin}"]\n
     [[bridge.allow]]\nto = "${listed.name}"\nwho = "anyone"\n`,
  )
  const [hub, page] = await Promise.all([Hub.run(t, 'hub', '--config', file), openTab(t)])
  page.on('pageerror', (thrown) => t.fail(`the page threw ${thrown.message}`))
  return { hub, listed, unlisted, page, origin }
}

let dials = 0

/** Lets the page, from `origin`, connect to a destination, anew. */
async function dial(
  { hub, page, origin }: Stand,
  { name }: LineServer,
  from: string = origin,
): Promise<void> {
  // a number before it, since the same fragment again is no change
  const hash = `#${dials++}://127.0.0.1:${hub.port}/tcp/${name}`
  if (page.url().startsWith(from)) await page.evaluate((to) => location.assign(to), hash)
  else await page.goto(`${from}/${hash}`)
}

async function say(page: Page, line: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Line' }).fill(line)
  await page.keyboard.press('Enter')
}

function state(page: Page, text: string): Promise<void> {
  return page.locator('#state').filter({ hasText: text }).waitFor()
}

test('a page in Chromium and a line server, by way of the hub', needs, async (t) => {
  const all = await stand(t)
  const { hub, listed, unlisted, page, origin } = all

  await t.test('OR-01: they speak to each other', async (t) => {
    await dial(all, listed)
    const line = (text: string) => page.locator('li').filter({ hasText: text }).waitFor()
    await state(page, 'open')
    await line('220 ready')
    await say(page, 'hello grüße')
    await line('250 HELLO GRÜSSE')
    await say(page, 'flood')
    await line('250 300000 characters')
    t.match(await (await fetch(`${hub.url}/metrics`, KEY)).text(), /^sapwood_bridges 1$/m)
    await say(page, 'QUIT')
    await line('221 bye')
    await state(page, 'closed 1000')
    t.equal(await page.locator('li').count(), 4, 'and nothing else')
  })

  await t.test('OR-08: the page learns why there is no connection', async (t) => {
    await dial(all, unlisted)
    await state(page, 'closed 4003 106')
    t.equal(unlisted.connections, 0, 'nothing is dialled')
    await dial(all, listed)
    await state(page, 'open')
    await say(page, 'DIE')
    await state(page, 'closed 1014 TARGET_LOST')
  })

  await t.test('a page that closes its socket, or leaves, hangs up', async (t) => {
    for (const leave of [() => say(page, 'close'), () => page.goto('about:blank')]) {
      await dial(all, listed)
      await state(page, 'open')
      const [socket] = listed.sockets
      const hungUp = once(socket as Socket, 'close')
      await leave()
      await hungUp
    }
    t.equal(listed.sockets.size, 0)
  })

  await t.test('a page of a foreign origin gets none', async (t) => {
    const before = listed.connections
    await dial(all, listed, origin.replace('127.0.0.1', 'localhost'))
    await state(page, 'closed 1006')
    t.equal(await textOf(page.locator('ol')), '')
    t.equal(listed.connections, before)
    const metrics = await (await fetch(`${hub.url}/metrics`, KEY)).text()
    t.match(metrics, /sapwood_faults_total\{code="ORIGIN_FOREIGN"\} 1/)
  })

  await t.test('OR-08: a destination that is not there', async () => {
    listed.stop()
    await dial(all, listed)
    await state(page, 'closed 4003 108')
  })
})
