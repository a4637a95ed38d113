/** HTTP answers that are none, and what they mean for the link. */
import { reasonOf } from '@sapwood/core'
import { lost } from './closing.ts'
import type { Closing } from './transport.ts'

/** Thrown where the hub refused, or what answered is no hub. */
export class Refusal extends Error {
  readonly closing: Closing

  constructor(closing: Closing) {
    super(closing.detail)
    this.closing = closing
  }
}

/** What it means that this was thrown. */
export function closingOfThrown(thrown: unknown): Closing {
  return thrown instanceof Refusal ? thrown.closing : lost(reasonOf(thrown))
}

/** The answer, if it is one. @throws Refusal */
export async function accepted(response: Response): Promise<Response> {
  const { ok, status, headers, url } = response
  if (ok) return response
  const said: Partial<Closing> = await response.json().catch(() => ({}))
  // only the hub itself, which says a code, may send a client away for good: not what stands on the way
  const byHub = said.code && status
  const later = headers.get('retry-after') ?? ''
  throw new Refusal({
    ...lost(`${url} answered ${status}`),
    ...said,
    status,
    comeBack: byHub === 401 || byHub === 403 ? 'never' : undefined,
    forgotten: byHub === 404 || byHub === 409,
    // seconds or, as a proxy may say it, a date
    retryAfter: Number(later) * 1000 || Date.parse(later) - Date.now(),
  })
}
