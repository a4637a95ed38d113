/**
 * Counts what goes on with links (RP-41), and passes it on to who else wants to hear of it, in their order.
 * Invariant: one of them that throws keeps nothing from the others.
 */
import type { Clock, Fault } from '@sapwood/core'
import { guardedObserver } from '../peer/guarded-observer.ts'
import type { PeerObserver } from '../peer/peer-observer.ts'
import type { PipeCounters } from './pipe-counters.ts'

/** @example const observer = countingObserver(counters, clock, [reporter, logging]) */
export function countingObserver(
  counters: PipeCounters,
  clock: Pick<Clock, 'now'>,
  others: readonly PeerObserver[],
): PeerObserver {
  const told = guardedObserver(others, ({ code }) => counters.fault(code))
  let since = 0
  return {
    ...told,
    connecting(server) {
      counters.connects++
      since = clock.now()
      told.connecting(server)
    },
    connected(server) {
      counters.connected++
      counters.peers++
      counters.connecting.add(clock.now() - since)
      told.connected(server)
    },
    failed(server, fault) {
      counters.fault(fault.code)
      told.failed(server, fault)
    },
    lost(server, fault) {
      counters.broken++
      counters.peers--
      counters.fault(fault.code)
      told.lost(server, fault)
    },
    added(name, names) {
      counters.connected++
      counters.peers++
      told.added(name, names)
    },
    removed(name, fault) {
      counters.peers--
      counters.broken++
      counters.fault(fault.code)
      told.removed(name, fault)
    },
    resumed(peer) {
      counters.resumed++
      told.resumed(peer)
    },
    heartbeat(roundTrip) {
      counters.heartbeats++
      counters.heartbeat.add(roundTrip)
      told.heartbeat(roundTrip)
    },
    heartbeatMissed(peer) {
      counters.heartbeatsMissed++
      told.heartbeatMissed(peer)
    },
    refused(remote: string, fault: Fault) {
      counters.fault(fault.code)
      told.refused(remote, fault)
    },
    fault(fault) {
      counters.fault(fault.code)
      told.fault(fault)
    },
  }
}
