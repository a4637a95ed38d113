/**
 * What an operator reads of the links of a pipe.
 * Invariant: what goes on for ever, as a server that is away does, is told when it begins and when it changes, and a flood
 * of one mistake is told once a minute.
 */
import type { Clock, Fault } from '@sapwood/core'
import type { Log } from '@sapwood/hub'
import type { PeerObserver } from '@sapwood/pipe'

const MINUTE = 60_000
/** Codes that are kept apart. */
const MOST = 256

/** @example pipeServer({ observer: linkLog(log, clock), … }) */
export function linkLog(log: Log, clock: Pick<Clock, 'now'>): PeerObserver {
  const told = new Map<string, number>()
  /** Server and code of the last attempt that failed. */
  let failing = ''
  const isNew = (what: string): boolean => {
    const now = clock.now()
    if (now - (told.get(what) ?? -MINUTE) < MINUTE) return false
    if (told.size >= MOST) told.clear()
    told.set(what, now)
    return true
  }
  return {
    connected(server) {
      failing = ''
      log.info({ server }, 'connected')
    },
    failed(server, { code, detail }) {
      const what = `${server} ${code}`
      if (what === failing) return
      failing = what
      log.warn({ server, code, reason: detail }, 'cannot connect; trying on')
    },
    lost(server, { code, detail }) {
      log.warn({ server, code, reason: detail }, 'the connection is lost')
    },
    added: (peer) => log.info({ peer }, 'connected'),
    removed: (peer, { code, detail }) =>
      log.info({ peer, code, reason: detail }, 'not connected any more'),
    refused(remote, { code, detail }) {
      // each attempt has another port
      if (isNew(`${code} ${remote.replace(/:\d+$/, '')}`))
        log.warn({ remote, code, reason: detail }, 'sent away')
    },
    fault({ code, detail }: Fault) {
      if (isNew(code)) log.warn({ code, reason: detail }, 'the pipe survived this')
    },
  }
}
