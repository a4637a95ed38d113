/** The line port of a hub. What it survives is logged once a minute for each code; the hub counts all of it. */
import { reasonOf } from '@sapwood/core'
import type { Hub } from '@sapwood/hub'
import { LineIngress } from '@sapwood/net'
import { lineHost } from './line-host.ts'
import type { LinePlan } from './line-plan.ts'

/** Milliseconds between two log entries of one code: a flood must not become one of the log. */
const INTERVAL = 60_000

/** Makes it; nothing listens yet. */
export function lineService(hub: Hub, { trust, options }: LinePlan): LineIngress {
  const logged = new Map<string, number>()
  const report = (code: string, cause: unknown): void => {
    const now = hub.wheel.now()
    if (now - (logged.get(code) ?? -INTERVAL) < INTERVAL) return
    logged.set(code, now)
    const reason = cause === undefined ? undefined : reasonOf(cause)
    hub.log.warn({ code, reason }, 'the line port survived this')
  }
  return new LineIngress(lineHost(hub, trust), { ...options, report })
}
