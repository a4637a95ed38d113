/**
 * What an operator reads of the links of a pipe.
 * Invariant: what goes on for ever, as a server that is away does, is told when it begins and when it changes, and of a
 * flood of one kind a few a minute, each of another text.
 */
import type { Clock, Fault } from '@sapwood/core'
import type { Log } from '@sapwood/hub'
import type { PeerObserver } from '@sapwood/pipe'

const MINUTE = 60_000
/** Kinds that are kept apart, and texts of one of them that are told within a minute. */
const KINDS = 256
const TEXTS = 16
/** Each attempt has another port. */
const PORT = /:\d+(?=: |$)/

/** @example pipeServer({ observer: linkLog(log, clock), … }) */
export function linkLog(log: Log, clock: Pick<Clock, 'now'>): PeerObserver {
  const told = new Map<string, { readonly since: number; readonly texts: Set<string> }>()
  /** Server and code of the last attempt that failed. */
  let failing = ''
  const isNew = (kind: string, text: string): boolean => {
    const now = clock.now()
    let known = told.get(kind)
    if (known === undefined || now - known.since >= MINUTE) {
      if (told.size >= KINDS) told.clear()
      known = { since: now, texts: new Set() }
      told.set(kind, known)
    }
    const { texts } = known
    if (texts.has(text) || texts.size >= TEXTS) return false
    texts.add(text)
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
      if (isNew(`${code} ${remote.replace(PORT, '')}`, detail))
        log.warn({ remote, code, reason: detail }, 'sent away')
    },
    fault({ code, detail }: Fault) {
      if (isNew(code, detail.replace(PORT, '')))
        log.warn({ code, reason: detail }, 'the pipe survived this')
    },
  }
}
