/** A reader's terminals: what is pasted runs in a shell at the top of the repository, in a process group of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Test } from 'tap'
import { TOP } from './code-blocks.ts'

/** Milliseconds that a command may take. */
const LONGEST = 30_000

export type Environment = Readonly<Record<string, string>>

export interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export class Terminal {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>
  stdout = ''
  stderr = ''

  /** @param program reads `input`; a shell by default. */
  constructor(
    t: Test,
    input: string,
    env: Environment,
    program: readonly string[] = ['bash', '-e'],
  ) {
    const [command = '', ...args] = program
    this.#child = spawn(command, args, {
      cwd: TOP,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
      detached: true,
    })
    this.#ended = once(this.#child, 'close')
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text.replaceAll('\r', '')
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    this.#child.stdin?.end(input)
    t.teardown(() => this.#signal('SIGKILL'))
  }

  /** Waits until it has ended by itself. */
  async end(): Promise<Ended> {
    const timer = setTimeout(() => this.#signal('SIGKILL'), LONGEST)
    await this.#ended
    clearTimeout(timer)
    const { stdout, stderr } = this
    return { status: this.#child.exitCode, stdout, stderr }
  }

  /** Ctrl-C. */
  async stop(): Promise<void> {
    this.#signal('SIGINT')
    await this.end()
  }

  get isOver(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** To all of its group: a shell's children as well. */
  #signal(signal: NodeJS.Signals): void {
    try {
      process.kill(-(this.#child.pid as number), signal)
    } catch {
      // it is gone already
    }
  }
}

/** Waits until something is so. */
export async function until(what: string, isSo: () => unknown, limit = 15_000): Promise<void> {
  const end = performance.now() + limit
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`${what}: not so within ${limit} ms`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
