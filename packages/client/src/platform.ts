/** What the surroundings give a client; tests and other surroundings give their own. */

import type { Clock } from '@sapwood/core'
import { openSocket } from '#web-socket'
import type { Channel, Locks } from './tabs.ts'
import type { OpenSocket } from './web-socket-transport.ts'

export interface Platform {
  readonly clock: Clock
  /** A number in [0, 1). */
  readonly random: () => number
  /** An id that nobody can guess. */
  readonly id: () => string
  readonly fetch: typeof fetch
  readonly openSocket: OpenSocket
  /** Calls back when the network is there again. Returns its undo. */
  readonly onOnline?: ((run: () => void) => () => void) | undefined
  readonly locks?: Locks | undefined
  readonly openChannel?: ((name: string) => Channel) | undefined
}

/** What a timer can wait, in milliseconds: one of more than 24 days would be due at once. */
const LONGEST = 2_000_000_000

const clock: Clock = {
  now: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, Math.min(ms, LONGEST))
    return () => clearTimeout(timer)
  },
}

/** Where this code runs: a browser, or Node. */
export function thisPlatform(): Platform {
  const { navigator, BroadcastChannel } = globalThis
  return {
    clock,
    random: Math.random,
    id: randomId,
    fetch: (input, init) => fetch(input, init),
    openSocket,
    onOnline: 'addEventListener' in globalThis ? onOnline : undefined,
    locks: navigator?.locks as Locks | undefined,
    openChannel: BroadcastChannel && ((name) => new BroadcastChannel(name) as Channel),
  }
}

/** 128 random bits. `crypto.randomUUID` would do, but browsers have it on secure pages only. */
function randomId(): string {
  return crypto.getRandomValues(new Uint32Array(4)).join('-')
}

function onOnline(run: () => void): () => void {
  addEventListener('online', run)
  return () => removeEventListener('online', run)
}
