/** The programs of `docs/examples`: loaded in parts, or started as a reader would. */
import { execFile, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { Started } from '../cli/command.ts'

const EXAMPLES = new URL('../../../docs/examples/', import.meta.url)

/** Milliseconds that a peer's program may take. */
const LONGEST = 60_000

/** @param file from `docs/examples`, `dns/ask.js` */
export function exampleFile(file: string): string {
  return fileURLToPath(new URL(file, EXAMPLES))
}

/** What a file of an example exports. */
export async function load<Exports>(file: string): Promise<Exports> {
  return (await import(new URL(file, EXAMPLES).href)) as Exports
}

export interface Running {
  readonly port: number
  readonly pid: number
  readonly program: Started
}

/** Starts an example on a free port; it is killed after the test at the latest. Given the root test, all may share it. */
export async function startExample(
  t: Test,
  file: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const child = spawn(process.execPath, [exampleFile(file)], {
    env: { PATH: process.env.PATH, PORT: '0', ...env },
  })
  t.teardown(() => child.kill('SIGKILL'))
  const program = Started.process(child)
  const [, port] = await program.says(/listens on 127\.0\.0\.1:(\d+)/)
  return { port: Number(port), pid: child.pid as number, program }
}

/** Runs a peer's program to its end and gives what it printed; fails unless it ends with `status`. */
export async function peer(
  program: string,
  args: readonly string[],
  { status = 0, input = '' }: { status?: number; input?: string } = {},
): Promise<string> {
  const options = { timeout: LONGEST, killSignal: 'SIGKILL' as const, maxBuffer: 2 ** 24 }
  const running = promisify(execFile)(program, args, options)
  // a program that reads nothing may have ended by now
  running.child.stdin?.on('error', () => undefined)
  running.child.stdin?.end(input)
  const { code = 0, stdout, stderr } = await running.catch((error) => error)
  if (code === status) return status === 0 ? stdout : stdout + stderr
  throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${stdout}${stderr}`)
}
