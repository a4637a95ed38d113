/**
 * Ways to run the command in tests: in this process with made-up surroundings, which costs next to nothing, or as a
 * process of its own, where the process is what is tested: its end, its signals, its input and output.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { run } from 'sapwood'
import type { Test } from 'tap'

const BINARY = fileURLToPath(new URL('../../../packages/cli/bin/sapwood.js', import.meta.url))

/** Milliseconds that a command may run to its end. */
const LONGEST = 20_000

export interface Outcome {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

type Env = Readonly<Record<string, string>>

/** Runs a command in this process, to its end. */
export async function inProcess(
  args: readonly string[],
  env: Env = {},
  input: string | Uint8Array = '',
): Promise<Outcome> {
  return begin(args, env, input).ended
}

/** Starts a command in this process; it is stopped after the test at the latest. */
export function start(t: Test, args: readonly string[], env: Env = {}): Started {
  const started = begin(args, env)
  t.teardown(async () => {
    started.signal('SIGTERM')
    // the second ends a drain; one that comes at once would be the same key press
    const again = setInterval(() => started.signal('SIGTERM'), 150)
    await started.ended
    clearInterval(again)
  })
  return started
}

function begin(args: readonly string[], env: Env, input: string | Uint8Array = ''): Started {
  const signals = new EventEmitter()
  const said = new Said()
  const status = run(args, {
    env,
    stdin: (async function* () {
      yield input
    })(),
    stdout: { write: (text) => said.add('stdout', String(text)) },
    stderr: { write: (text) => said.add('stderr', String(text)) },
    on: (signal, listener) => signals.on(signal, listener),
    off: (signal, listener) => signals.off(signal, listener),
  })
  return new Started(said, status, (signal) => signals.emit(signal))
}

function environment(env: Env): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, ...env }
}

/** Runs a command as a process of its own, to its end. */
export async function asProcess(
  args: readonly string[],
  env: Env = {},
  input: string | Uint8Array = '',
): Promise<Outcome> {
  const child = spawn(process.execPath, [BINARY, ...args], { env: environment(env) })
  child.stdin.end(input)
  // a test that fails must not leave it behind
  const timer = setTimeout(() => child.kill('SIGKILL'), LONGEST)
  return Started.process(child).ended.finally(() => clearTimeout(timer))
}

/** A command that was started as a process of its own. */
export interface StartedProcess extends Started {
  readonly child: ChildProcess
}

/** Starts a command as a process of its own; it is killed after the test at the latest. */
export function startProcess(t: Test, args: readonly string[], env: Env = {}): StartedProcess {
  const child = spawn(process.execPath, [BINARY, ...args], { env: environment(env) })
  t.teardown(() => child.kill('SIGKILL'))
  return Object.assign(Started.process(child), { child })
}

type Where = 'stdout' | 'stderr'

/** What was said so far. */
class Said {
  stdout = ''
  stderr = ''
  readonly #news = new EventEmitter().setMaxListeners(0)

  add(where: Where, text: string): void {
    this[where] += text
    this.#news.emit('said')
  }

  /** Waits until there is more. */
  async more(): Promise<void> {
    await once(this.#news, 'said')
  }
}

/** A command, or another program, that runs. */
export class Started {
  readonly ended: Promise<Outcome>
  /** In this process it hears of SIGINT and SIGTERM. */
  readonly signal: (signal: NodeJS.Signals) => void
  readonly #said: Said

  constructor(said: Said, status: Promise<number | null>, signal: Started['signal']) {
    this.#said = said
    this.signal = signal
    this.ended = status.then((status) => ({ status, stdout: said.stdout, stderr: said.stderr }))
  }

  static process(child: ChildProcess): Started {
    const said = new Said()
    for (const where of ['stdout', 'stderr'] as const) {
      child[where]?.setEncoding('utf8').on('data', (text: string) => said.add(where, text))
    }
    const closed = once(child, 'close').then(([status]) => status as number | null)
    return new Started(said, closed, (signal) => child.kill(signal))
  }

  get stdout(): string {
    return this.#said.stdout
  }

  get stderr(): string {
    return this.#said.stderr
  }

  /** Waits until its output matches; fails when it ends before. */
  async says(pattern: RegExp, where: Where = 'stdout'): Promise<RegExpExecArray> {
    let isOver = false
    const over = this.ended.then(() => {
      isOver = true
    })
    for (;;) {
      const found = pattern.exec(this[where])
      if (found !== null) return found
      if (isOver) {
        throw new Error(`it ended without saying ${pattern}: ${this.stdout}${this.stderr}`)
      }
      await Promise.race([this.#said.more(), over])
    }
  }

  /** The address in the `ready` line. */
  async url(): Promise<string> {
    const [line] = await this.says(/^.*"msg":"ready".*$/m)
    return (JSON.parse(line) as { url: string }).url
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Outcome> {
    this.signal(signal)
    return this.ended
  }
}
