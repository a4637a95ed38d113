/** Ways to run the command in tests: in this process with made-up surroundings, or as the real process. */
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

/** Runs a command in this process. */
export async function inProcess(
  args: readonly string[],
  env: Env = {},
  input: string | Uint8Array = '',
): Promise<Outcome> {
  const out: string[] = []
  const err: string[] = []
  const signals = new EventEmitter()
  const status = await run(args, {
    env,
    stdin: (async function* () {
      yield input
    })(),
    stdout: { write: (text) => out.push(String(text)) },
    stderr: { write: (text) => err.push(String(text)) },
    on: (signal, listener) => signals.on(signal, listener),
    off: (signal, listener) => signals.off(signal, listener),
  })
  return { status, stdout: out.join(''), stderr: err.join('') }
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
  return new Started(child).ended.finally(() => clearTimeout(timer))
}

/** Starts a command as a process of its own; it is killed after the test at the latest. */
export function start(t: Test, args: readonly string[], env: Env = {}): Started {
  const child = spawn(process.execPath, [BINARY, ...args], { env: environment(env) })
  t.teardown(() => child.kill('SIGKILL'))
  return new Started(child)
}

export class Started {
  readonly child: ChildProcess
  readonly ended: Promise<Outcome>
  stdout = ''
  stderr = ''

  constructor(child: ChildProcess) {
    this.child = child
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    this.ended = once(child, 'close').then(([status]) => ({
      status,
      stdout: this.stdout,
      stderr: this.stderr,
    }))
  }

  /** Waits until its output matches; fails when it ends before. */
  async says(pattern: RegExp, where: 'stdout' | 'stderr' = 'stdout'): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this[where])
      if (found !== null) return found
      const output = this.child[where]
      const more = output?.readableEnded === false ? once(output, 'data') : undefined
      const ended = this.ended.then(() => {
        if (pattern.test(this[where])) return
        throw new Error(`it ended without saying ${pattern}: ${this.stdout}${this.stderr}`)
      })
      await Promise.race(more === undefined ? [ended] : [more, ended])
    }
  }

  /** The address in the `ready` line. */
  async url(): Promise<string> {
    const [line] = await this.says(/^.*"msg":"ready".*$/m)
    return (JSON.parse(line) as { url: string }).url
  }

  async stop(signal: 'SIGINT' | 'SIGTERM' = 'SIGTERM'): Promise<Outcome> {
    this.child.kill(signal)
    return this.ended
  }
}
