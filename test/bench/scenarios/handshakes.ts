/** Everybody comes at the same moment to a server that has just started: its code is not compiled yet. */
import { settled, stopwatch } from '../cost.ts'
import { against } from '../goal.ts'
import { SHARES, shares } from '../saturation.ts'
import type { Scenario } from '../scenario.ts'

export const handshakes: Scenario = {
  name: 'handshakes',
  title: '5,000 connections opened at once, each subscribed to one path',
  peers: ['sapwood', 'ws', 'socket.io'],
  columns: [
    { figure: 'cpu', title: 'server CPU us/handshake', digits: 0 },
    { figure: 'perCore', title: 'per second of server CPU', digits: 0 },
    { figure: 'rate', title: 'handshakes/s', digits: 0 },
    ...SHARES,
  ],
  compare: 'cpu',
  // nine tenths of its handshakes per second
  goal: against('ws', 'cpu', 'CPU per handshake', 1 / 0.9),
  run: async (run) => {
    const { peer, pid } = run.target
    const connections = run.size(5000, 1000)
    const scripts = Array.from({ length: connections }, () => peer.subscribe(['s/0']))
    const audience = run.audience()
    const stop = stopwatch(pid)
    await audience.join(scripts, connections)
    const open = stop()
    await settled(pid)
    const cpu = stop().server
    return {
      cpu: (cpu / connections) * 1e6,
      perCore: connections / cpu,
      rate: connections / open.seconds,
      ...shares(open),
    }
  },
}
