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
  const { code, detail }: Partial<Closing> = await response.json().catch(() => ({}))
  // only the hub itself, which says a code, may send a client away for good: not what stands on the way
  const says = (...statuses: readonly number[]): boolean =>
    code !== undefined && statuses.includes(status)
  throw new Refusal({
    code: code ?? 'CONNECTION_LOST',
    detail: detail ?? `${url} answered ${status}`,
    status,
    comeBack: says(401, 403) ? 'never' : undefined,
    forgotten: says(404, 409),
    retryAfter: Number(headers.get('retry-after')) * 1000,
  })
}
