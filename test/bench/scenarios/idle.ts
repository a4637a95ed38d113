/** What a session holds that only waits. Memory is read after a collection; the kernel's socket buffers are not in it. */
import { pause, residentBytes, settled } from '../cost.ts'
import { against } from '../goal.ts'
import type { Scenario } from '../scenario.ts'

const KIB = 1024

export const idle: Scenario = {
  name: 'idle',
  title: '10,000 idle sessions on a path each',
  peers: ['sapwood', 'ws', 'socket.io'],
  columns: [
    { figure: 'perSession', title: 'RSS kB/session', digits: 2 },
    { figure: 'before', title: 'RSS before MB', digits: 1 },
    { figure: 'after', title: 'RSS after MB', digits: 1 },
    { figure: 'sessions', title: 'sessions', digits: 0 },
  ],
  compare: 'perSession',
  goal: against('ws', 'perSession', 'memory per session', 1.4),
  run: async (run) => {
    const { peer, pid } = run.target
    const sessions = run.size(10_000, 1000)
    const before = await collected(pid)
    const scripts = Array.from({ length: sessions }, (_, i) => peer.subscribe([`s/${i}`]))
    await run.audience().join(scripts)
    const after = await collected(pid)
    return {
      perSession: (after - before) / sessions / KIB,
      before: before / KIB / KIB,
      after: after / KIB / KIB,
      sessions,
    }
  },
}

/** Resident bytes of the server after it has collected its garbage and given it back. */
async function collected(pid: number): Promise<number> {
  await settled(pid)
  process.kill(pid, 'SIGUSR2')
  await pause(300)
  await settled(pid)
  return residentBytes(pid)
}
