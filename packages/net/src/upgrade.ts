/**
 * Puts something around a connection, before its acceptor sees it or while it lives (TN-22).
 * Invariant: nothing that came before the wrapper is taken for something that came through it (W7 of Tendril), and
 * what was sent before leaves before.
 */
import { SapwoodError } from '@sapwood/core'
import type { Channel } from './channel.ts'
import { CLEAR_TEXT_BUFFERED } from './faults.ts'
import { wrapLink } from './wrap-link.ts'
import type { Wrapper, Wrapping } from './wrapper.ts'

/** @throws SapwoodError as `Connection.wrap` says; the connection is then over, unless nothing was tried. */
export async function upgrade(
  channel: Channel,
  wrapper: Wrapper,
  wrapping: Wrapping,
): Promise<void> {
  check(channel)
  channel.outgoing.writeAll()
  channel.move('wrap')
  const { limits, wheel } = channel.tracker
  try {
    const link = await wrapLink(channel.link, wrapper, wrapping, wheel, limits.handshake)
    if (channel.move('wrapped')) return channel.use(link)
    link.destroy()
  } catch (error) {
    channel.move('cut', error as SapwoodError)
    throw error
  }
  throw new SapwoodError('CONNECTION_CLOSED', 'the connection ended while it was being wrapped')
}

function check(channel: Channel): void {
  const { link, source, state, tracker } = channel
  if (state.next.wrap === undefined) {
    const detail = `a connection that is ${state.name} cannot be wrapped; wrap it once, while it is open`
    throw new SapwoodError('CONNECTION_CLOSED', detail)
  }
  if (link.wrap === undefined) {
    throw new SapwoodError('WRAP_UNSUPPORTED', `nothing can be put around ${tracker.transport}`)
  }
  if (source.length === 0 && !link.socket?.readableLength) return
  channel.move('cut', CLEAR_TEXT_BUFFERED)
  throw new SapwoodError(CLEAR_TEXT_BUFFERED.code, CLEAR_TEXT_BUFFERED.detail)
}
