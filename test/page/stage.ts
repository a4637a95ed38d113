/** What the tests of the demo page stand on: the real command, and a real browser. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Browser, chromium, type Locator, type Page } from 'playwright-core'
import { run } from 'sapwood'
import { t as root, type Test } from 'tap'
import { findProgram } from '../requires.ts'

const COMMAND = fileURLToPath(new URL('../../../packages/cli/bin/sapwood.js', import.meta.url))

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

const execute = promisify(execFile)

/** A command that runs, and is ready. */
export class Hub {
  readonly url: string
  readonly #process: ChildProcess | undefined

  private constructor(url: string, process?: ChildProcess) {
    this.url = url
    this.#process = process
  }

  /** `sapwood dev` in this process, which takes no second to start; it ends with the test. */
  static async start(t: Test): Promise<Hub> {
    const signals = new EventEmitter()
    const url = await new Promise<string>((resolve, reject) => {
      const ended = run(['dev', '--json', '--port', '0'], {
        env: {},
        stdin: (async function* () {})(),
        stdout: { write: (entry) => settleWhenReady(String(entry), resolve) },
        stderr: { write: (text) => reject(new Error(String(text))) },
        on: (signal, listener) => signals.on(signal, listener),
        off: (signal, listener) => signals.off(signal, listener),
      })
      t.teardown(async () => {
        // the second does not wait for anybody
        signals.emit('SIGTERM')
        signals.emit('SIGTERM')
        await ended
      })
    })
    return new Hub(url)
  }

  /** The command as a process of its own; it is killed after the test at the latest. */
  static async run(t: Test, ...line: readonly string[]): Promise<Hub> {
    const child = spawn(process.execPath, [COMMAND, ...line], {
      env: { PATH: process.env.PATH },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.teardown(() => child.kill('SIGKILL'))
    const url = await new Promise<string>((resolve, reject) => {
      createInterface(child.stdout).on('line', (entry) => settleWhenReady(entry, resolve))
      child.once('exit', () => reject(new Error(`sapwood ${line.join(' ')} ended unready`)))
    })
    return new Hub(url, child)
  }

  get port(): string {
    return new URL(this.url).port
  }

  /** Kills it, as a crash would. */
  async kill(): Promise<void> {
    if (this.#process === undefined) throw new Error('it is no process of its own')
    const ended = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await ended
  }

  /** Asks it over HTTP. */
  async get(path: string): Promise<unknown> {
    return (await fetch(this.url + path)).json()
  }

  /** Publishes with curl, which says what it answered. */
  async publish(path: string, message: string): Promise<{ readonly matched: number }> {
    return JSON.parse(await curl('-d', message, `${this.url}/update/${path}`)) as {
      matched: number
    }
  }

  /** The ids of those who are connected. */
  async clients(): Promise<readonly Client[]> {
    return (await this.get('/client')) as readonly Client[]
  }
}

/** An entry of the log: is it the one that says where the hub is? */
function settleWhenReady(entry: string, ready: (url: string) => void): void {
  const { msg, url } = JSON.parse(entry) as { msg: string; url: string }
  if (msg === 'ready') ready(url)
}

export interface Client {
  readonly id: string
  readonly transport: string
  readonly connected: boolean
  readonly patterns: readonly string[]
}

/** What curl printed. Rejects unless it ended well. */
export async function curl(...args: readonly string[]): Promise<string> {
  const { stdout } = await execute('curl', [
    '--silent',
    '--show-error',
    '--fail-with-body',
    ...args,
  ])
  return stdout
}

/** A line as it was pasted into a terminal. */
export async function terminal(line: string): Promise<string> {
  const { stdout } = await execute('sh', ['-c', line])
  return stdout
}

let browser: Promise<Browser> | undefined

/** One browser for all tests of a file; each page has its own profile in it. */
function openBrowser(): Promise<Browser> {
  browser ??= launch()
  return browser
}

async function launch(): Promise<Browser> {
  const executablePath = findProgram('chromium') as string
  const launched = await chromium.launch({ executablePath, args: FLAGS })
  root.teardown(() => launched.close())
  return launched
}

/** A tab that is closed after the test. */
export async function openTab(t: Test, baseURL?: string): Promise<Page> {
  const page = await (await openBrowser()).newPage(baseURL === undefined ? {} : { baseURL })
  t.teardown(() => page.close())
  page.setDefaultTimeout(20_000)
  return page
}

/** The demo page of a hub. What goes wrong in it, or leaves the hub, fails the test. */
export async function openPage(t: Test, hub: Hub): Promise<Page> {
  const page = await openTab(t, hub.url)
  page.on('pageerror', (thrown) => t.fail(`the page threw ${thrown.message}`))
  page.on('console', (said) => {
    if (said.text().includes('Content Security Policy')) t.fail(said.text())
  })
  page.on('request', (request) => {
    if (!request.url().startsWith(`${hub.url}/`)) t.fail(`the page asked ${request.url()}`)
  })
  await page.clock.install()
  await page.goto('/')
  await page.getByText('Connected by WebSocket', { exact: true }).waitFor()
  return page
}

/** Chooses a transport, and waits until the page is connected by it. */
export async function choose(page: Page, transport: string): Promise<void> {
  await page.getByRole('radio', { name: transport }).check()
  // whoever changes often is made to wait a moment
  await page.clock.fastForward(5_000)
  const state = `Connected by ${transport.replace('Long', 'long')}`
  await page.getByText(state, { exact: true }).waitFor()
}

/** What stands in the page, as it was written there. */
export async function textOf(place: Locator): Promise<string> {
  return (await place.textContent()) ?? ''
}
