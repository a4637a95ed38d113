/** Counts what goes on with links (RP-41), and passes it on to who else wants to hear of it, in their order. */
import type { Clock, Fault } from '@sapwood/core'
import type { PeerObserver } from '../peer/peer-observer.ts'
import type { PipeCounters } from './pipe-counters.ts'

/** @example const observer = countingObserver(counters, clock, [reporter, logging]) */
export function countingObserver(
  counters: PipeCounters,
  clock: Pick<Clock, 'now'>,
  others: readonly PeerObserver[],
): PeerObserver {
  let since = 0
  return {
    listening() {
      for (const each of others) each.listening?.()
    },
    connecting(server) {
      counters.connects++
      since = clock.now()
      for (const each of others) each.connecting?.(server)
    },
    connected(server) {
      counters.connected++
      counters.peers++
      counters.connecting.add(clock.now() - since)
      for (const each of others) each.connected?.(server)
    },
    failed(server, fault) {
      counters.fault(fault.code)
      for (const each of others) each.failed?.(server, fault)
    },
    lost(server, fault) {
      counters.broken++
      counters.peers--
      counters.fault(fault.code)
      for (const each of others) each.lost?.(server, fault)
    },
    added(name, names) {
      counters.connected++
      counters.peers++
      for (const each of others) each.added?.(name, names)
    },
    removed(name, fault) {
      counters.peers--
      counters.broken++
      counters.fault(fault.code)
      for (const each of others) each.removed?.(name, fault)
    },
    started(peer) {
      for (const each of others) each.started?.(peer)
    },
    stopped(peer, fault) {
      for (const each of others) each.stopped?.(peer, fault)
    },
    resumed(peer) {
      counters.resumed++
      for (const each of others) each.resumed?.(peer)
    },
    heartbeat(roundTrip) {
      counters.heartbeats++
      counters.heartbeat.add(roundTrip)
      for (const each of others) each.heartbeat?.(roundTrip)
    },
    heartbeatMissed(peer) {
      counters.heartbeatsMissed++
      for (const each of others) each.heartbeatMissed?.(peer)
    },
    refused(remote: string, fault: Fault) {
      counters.fault(fault.code)
      for (const each of others) each.refused?.(remote, fault)
    },
    fault(fault) {
      counters.fault(fault.code)
      for (const each of others) each.fault?.(fault)
    },
  }
}
