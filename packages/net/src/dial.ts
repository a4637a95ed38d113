/** One attempt to connect, within a time limit and until its caller gives it up. */
import { reasonOf, SapwoodError, type Wheel } from '@sapwood/core'
import { type Address, formatAddress } from './address.ts'
import type { Link } from './link.ts'

/**
 * @param attempt aborted to give it up, and when it is late.
 * @param signal of the caller; undefined if there is none.
 * @throws SapwoodError CONNECT_TIMEOUT, CONNECT_ABORTED, CONNECT_FAILED, or the one that `dial` throws.
 */
export async function dialWithin(
  dial: (signal: AbortSignal) => Promise<Link>,
  target: Address,
  wheel: Wheel,
  limit: number,
  attempt: AbortController,
  signal: AbortSignal | undefined,
): Promise<Link> {
  const place = formatAddress(target)
  let late = false
  const expire = (): void => {
    late = true
    attempt.abort()
  }
  const cancel = limit === 0 ? undefined : wheel.after(limit, expire)
  const abort = (): void => attempt.abort()
  signal?.addEventListener('abort', abort)
  try {
    if (signal?.aborted) attempt.abort()
    attempt.signal.throwIfAborted()
    return await dial(attempt.signal)
  } catch (thrown) {
    if (late) {
      const detail = `${place} did not answer within ${limit} ms (limits.connect)`
      throw new SapwoodError('CONNECT_TIMEOUT', detail, { cause: thrown })
    }
    if (attempt.signal.aborted) {
      throw new SapwoodError('CONNECT_ABORTED', `the attempt to reach ${place} was given up`)
    }
    if (thrown instanceof SapwoodError) throw thrown
    const detail = `cannot connect to ${place}: ${reasonOf(thrown)}`
    throw new SapwoodError('CONNECT_FAILED', detail, { cause: thrown })
  } finally {
    cancel?.()
    signal?.removeEventListener('abort', abort)
  }
}
