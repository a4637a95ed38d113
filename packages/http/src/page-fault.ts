/**
 * Why a page must not use a trust that its browser shows by itself: being on this machine, a certificate, a socket.
 * Invariant: who says no origin and no `Sec-Fetch-Site` is no page; a listed origin may, whatever the site.
 */
import type { Fault } from '@sapwood/core'
import type { Origins } from './origins.ts'
import { fault } from './problem.ts'

/** What a browser says of the page that calls. */
export interface PageHead {
  readonly host: string | undefined
  readonly origin: string | undefined
  readonly 'sec-fetch-site': string | undefined
}

export const FOREIGN_ORIGIN: Fault = fault(
  'ORIGIN_FOREIGN',
  'pages of this origin may not call; list it under [http] origins',
  403,
)

/** The fault, or undefined if no page calls, or one that may. */
export function pageFault(head: PageHead, origins: Origins): Fault | undefined {
  const { origin, 'sec-fetch-site': site } = head
  if (origin !== undefined) {
    return origins.allows(origin, head.host) ? undefined : FOREIGN_ORIGIN
  }
  return site === 'cross-site' || site === 'same-site' ? FOREIGN_ORIGIN : undefined
}
