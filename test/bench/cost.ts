/**
 * What a process has used, from Linux's /proc. Processor time is what the results are made of: unlike the clock on the
 * wall it says little about what else the machine does. It counts in steps of 10 ms.
 */
import { readFileSync } from 'node:fs'

const TICKS_PER_SECOND = 100
/** Places in /proc/PID/stat, counted from behind the name of the program. */
const USER = 11
const KERNEL = 12

/** User and kernel seconds of all threads of a process. */
export function cpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[USER]) + Number(fields[KERNEL])) / TICKS_PER_SECOND
}

/** Resident bytes of a process. */
export function residentBytes(pid: number): number {
  const text = readFileSync(`/proc/${pid}/status`, 'latin1')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(text)?.[1]) * 1024
}

/** What a stretch of work took, in seconds: of the clock, and of processor time. */
export interface Cost {
  readonly seconds: number
  readonly server: number
  readonly load: number
  /** Of everything else on this machine, on all its cores. */
  readonly others: number
}

/** Begins a measurement of the server and of this process; what it returns ends it, and may be called again. */
export function stopwatch(serverPid: number): () => Cost {
  const before = reading(serverPid)
  return () => {
    const after = reading(serverPid)
    const server = after.server - before.server
    const load = after.load - before.load
    const others = Math.max(0, after.machine - before.machine - server - load)
    return { seconds: after.seconds - before.seconds, server, load, others }
  }
}

function reading(serverPid: number): Record<'seconds' | 'server' | 'load' | 'machine', number> {
  return {
    seconds: performance.now() / 1000,
    server: cpuSeconds(serverPid),
    load: cpuSeconds(process.pid),
    machine: machineSeconds(),
  }
}

/** Busy seconds of all cores: everything in the first line of /proc/stat that is not idle or waiting for a disk. */
function machineSeconds(): number {
  const line = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0] as string
  const [user = 0, nice = 0, kernel = 0, , , hard = 0, soft = 0, stolen = 0] = line
    .split(/\s+/)
    .slice(1)
    .map(Number)
  return (user + nice + kernel + hard + soft + stolen) / TICKS_PER_SECOND
}

/** Waits until a process has done nothing for 200 ms, at most for `limit` milliseconds. */
export async function settled(pid: number, limit = 5000): Promise<void> {
  const end = performance.now() + limit
  let before = -1
  for (let quiet = 0; quiet < 2 && performance.now() < end; ) {
    const now = cpuSeconds(pid)
    quiet = now === before ? quiet + 1 : 0
    before = now
    await pause(100)
  }
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
