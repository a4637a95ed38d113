/**
 * Several observers as one that never throws.
 * Invariant: each hears everything, whatever another does; what one throws, or rejects a promise with, is a fault that all
 * of them are told, and a warning of the process where nobody takes it.
 */
import type { Fault } from '@sapwood/core'
import { reasonOf } from '@sapwood/core'
import type { PeerObserver } from './peer-observer.ts'

type CallName = keyof PeerObserver
type AnyCall = (...args: readonly unknown[]) => unknown

const CALLS: Readonly<Record<CallName, true>> = {
  listening: true,
  connected: true,
  connecting: true,
  failed: true,
  lost: true,
  added: true,
  removed: true,
  started: true,
  stopped: true,
  resumed: true,
  heartbeat: true,
  heartbeatMissed: true,
  refused: true,
  fault: true,
}

/** @param threw hears of what is thrown before the observers do. */
export function guardedObserver(
  observers: readonly PeerObserver[],
  threw?: (fault: Fault) => void,
): Required<PeerObserver> {
  const mistake = (name: CallName, thrown: unknown): void => {
    const detail = `the observer threw in ${name}: ${reasonOf(thrown)}`
    const fault: Fault = { code: 'OBSERVER_THREW', detail }
    threw?.(fault)
    const warn = (): void => process.emitWarning(`${fault.code}: ${detail}`)
    const takers = observers.filter((each) => each.fault !== undefined)
    // it is not told of its own mistakes for ever
    for (const each of takers) attempt(each, 'fault', [fault], warn)
    if (takers.length === 0) warn()
  }
  const call = (name: CallName, args: readonly unknown[]): void => {
    for (const each of observers) attempt(each, name, args, (thrown) => mistake(name, thrown))
  }
  const names = Object.keys(CALLS) as CallName[]
  const calls = names.map((name) => [name, (...args: unknown[]) => call(name, args)])
  return Object.fromEntries(calls) as Required<PeerObserver>
}

/** Calls one. */
function attempt(
  observer: PeerObserver,
  name: CallName,
  args: readonly unknown[],
  failed: (thrown: unknown) => void,
): void {
  try {
    const result = (observer[name] as AnyCall | undefined)?.apply(observer, [...args])
    if (result instanceof Promise) result.catch(failed)
  } catch (thrown) {
    failed(thrown)
  }
}
