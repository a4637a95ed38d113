/** Wraps a link within a time limit: a peer that never answers a handshake holds nothing for long. */
import type { Wheel } from '@sapwood/core'
import { reasonOf, SapwoodError } from '@sapwood/core'
import type { Link } from './link.ts'
import type { Wrapper, Wrapping } from './wrapper.ts'

/** @throws SapwoodError HANDSHAKE_TIMEOUT, HANDSHAKE_FAILED; the link is then of no use. */
export async function wrapLink(
  link: Link,
  wrapper: Wrapper,
  wrapping: Wrapping,
  wheel: Wheel,
  limit: number,
): Promise<Link> {
  let late = false
  let expire: (error: SapwoodError) => void = () => {}
  const expired = new Promise<never>((_, reject) => {
    expire = reject
  })
  const cancel =
    limit === 0
      ? undefined
      : wheel.after(limit, () => {
          late = true
          link.destroy()
          expire(
            new SapwoodError(
              'HANDSHAKE_TIMEOUT',
              'the handshake took longer than limits.handshake',
            ),
          )
        })
  const wrapped = wrap(link, wrapper, wrapping)
  // one that comes too late is not left open
  wrapped.then(
    (done) => late && done.destroy(),
    () => {},
  )
  try {
    return await Promise.race([wrapped, expired])
  } catch (thrown) {
    link.destroy()
    if (thrown instanceof SapwoodError) throw thrown
    const detail = `the handshake failed: ${reasonOf(thrown)}`
    throw new SapwoodError('HANDSHAKE_FAILED', detail, { cause: thrown })
  } finally {
    cancel?.()
  }
}

/** A wrapper may throw as well as reject. */
async function wrap(link: Link, wrapper: Wrapper, wrapping: Wrapping): Promise<Link> {
  if (link.wrap === undefined) throw new SapwoodError('WRAP_UNSUPPORTED', 'nothing goes around it')
  return await link.wrap(wrapper, wrapping)
}
