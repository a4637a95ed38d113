/**
 * The processes of a run. Server and load stand on a core of their own where `taskset` is there to put them.
 * Invariant: whatever was started here is dead when the runner is, however that ends.
 */
import type { ChildProcess } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'

const RUNNING = new Set<ChildProcess>()

/** True when server and load have each a core of their own. */
export const pinned: boolean =
  availableParallelism() > 1 && spawnSync('taskset', ['-c', '0,1', 'true']).status === 0

export type Place = 'server' | 'load'

const CORES: Readonly<Record<Place, string>> = { server: '0', load: '1' }

/** Starts node. With `ipc` it can send messages. */
export function startNode(place: Place, args: readonly string[], ipc: boolean): ChildProcess {
  return startProgram(place, process.execPath, args, { ipc })
}

/** Starts any program. @param quiet where it says more on stderr than anybody wants to read. */
export function startProgram(
  place: Place,
  program: string,
  args: readonly string[],
  {
    ipc = false,
    env = {},
    quiet = false,
  }: { ipc?: boolean; env?: Readonly<Record<string, string>>; quiet?: boolean } = {},
): ChildProcess {
  const [command, ...before] = pinned ? ['taskset', '-c', CORES[place], program] : [program]
  const child = spawn(command as string, [...before, ...args], {
    stdio: [
      'ignore',
      ipc ? 'inherit' : 'pipe',
      quiet ? 'ignore' : 'inherit',
      ipc ? 'ipc' : 'ignore',
    ],
    env: { ...process.env, NO_COLOR: '1', ...env },
  })
  RUNNING.add(child)
  child.on('exit', () => RUNNING.delete(child))
  return child
}

/** Ends a process, by force when it takes longer than two seconds. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.on('exit', resolve))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 2000)
  await gone
  clearTimeout(timer)
}

function killAll(): void {
  for (const child of RUNNING) child.kill('SIGKILL')
}

process.on('exit', killAll)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => process.exit(1))
