/**
 * The control updates that a hub sends to one client. Each carries the watermark at which it was made, so that a
 * client's cursor moves with everything it receives.
 */
import type { Meta } from '@sapwood/core'
import {
  bodyValue,
  CONNECTED,
  DISCONNECTED,
  GAP,
  HELLO,
  isDirectPath,
  jsonMessage,
  message as makeMessage,
  PING,
  RESUMED,
  Update,
} from '@sapwood/core'

/** The protocol that `::hello` tells. */
export const VERSION = 1

/** Why something may be missing. */
export type GapReason = 'evicted' | 'restart' | 'unknown' | 'slow' | 'dropped'

/**
 * A control update for one client.
 * @param at the watermark; empty where none is told.
 */
export function control(path: string, value: unknown, at: string, meta?: Meta): Update {
  return new Update(path, jsonMessage(value, meta), 0, at)
}

/** What a client is greeted with. */
export interface Hello {
  readonly id: string
  readonly secret: string
  /** Milliseconds of silence after which the hub pings. */
  readonly heartbeat: number
  readonly patterns: Iterable<string>
  readonly resumed: boolean
}

// both are put together by hand: in a storm of handshakes the general way is what costs

export function hello({ id, secret, heartbeat, patterns, resumed }: Hello, at: string): Update {
  const list = JSON.stringify([...patterns])
  const text = `{"id":"${id}","resume":"${secret}","version":${VERSION},"heartbeat":${heartbeat},"at":"${at}","patterns":${list},"resumed":${resumed}}`
  return new Update(HELLO, makeMessage(text), 0, at)
}

/** It follows `pattern` from `at` on. */
export function connected(pattern: string, at: string): Update {
  const text = `{"pattern":${JSON.stringify(pattern)},"at":"${at}"}`
  return new Update(CONNECTED, makeMessage(text), 0, at)
}

/** Those whose message tells the watermark, too. What else is called `at` is a receipt's, or somebody's own. */
const TOLD_TWICE: ReadonlySet<string> = new Set([CONNECTED, DISCONNECTED, GAP])

/** The same control update at an earlier watermark, also where its message tells it. */
export function restamped(update: Update, at: string): Update {
  const { path, meta } = update
  if (update.at === '' || update.at === at) return update
  if (!TOLD_TWICE.has(path)) return new Update(path, update, 0, at)
  return control(path, { ...(bodyValue(update) as object), at }, at, meta)
}

/** Control that a resume makes anew from what it finds then. */
const MADE_ANEW: readonly string[] = [HELLO, PING, GAP, RESUMED]

/** Does a resume send it again as it was? The log has updates, and questions are kept until they are answered. */
export function isKept({ offset, path, meta }: Update): boolean {
  const isQuestion = isDirectPath(path) && meta.reply !== undefined
  return offset === 0 && !isQuestion && !MADE_ANEW.includes(path)
}
