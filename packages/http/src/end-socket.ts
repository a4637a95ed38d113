/** The end of a connection that has no response object, with a last word that is not lost in a reset. */
import type { Duplex } from 'node:stream'
import type { Wheel } from '@sapwood/core'

/** How long the rest of what comes is read and dropped behind an answer, in milliseconds. */
export const LINGER = 500

/** Sends `last` and ends the socket: at once this way, the other way when its client has ended too, or soon. */
export function endSocket(socket: Duplex, last: string, wheel: Wheel): void {
  socket.end(last)
  // closing on what nobody read would be a reset, which may overtake the answer
  socket.resume()
  const stop = wheel.after(LINGER, () => socket.destroy())
  socket.once('close', stop)
}
