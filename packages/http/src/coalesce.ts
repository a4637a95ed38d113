/**
 * One write per turn for a connection on which requests are pipelined. Node's HTTP server writes each answer by itself,
 * and a write costs more than everything else that publishing does; here the answers of one turn of the event
 * loop leave together.
 * Invariant: what is written leaves in the order of the calls, nothing is held across turns, and what waits
 * is bounded by the socket's own high-water mark.
 */
import type { Socket } from 'node:net'

type Write = Socket['write']
type Written = (error?: Error | null) => void

const COALESCED = new WeakSet<Socket>()

/** Lets the writes of `socket` leave once per turn from now on. */
export function coalesceWrites(socket: Socket): void {
  if (COALESCED.has(socket)) return
  COALESCED.add(socket)
  const write: Write = socket.write
  let waiting = ''
  const flush = (): void => {
    const text = waiting
    waiting = ''
    if (text !== '' && socket.writable) write.call(socket, text, 'latin1')
  }
  const coalesced = (data: Uint8Array | string, ...rest: unknown[]): boolean => {
    const [encoding, callback] = (typeof rest[0] === 'function' ? [undefined, rest[0]] : rest) as [
      BufferEncoding | undefined,
      Written | undefined,
    ]
    if (typeof data !== 'string' || (encoding !== 'latin1' && !isPlainText(data))) {
      flush()
      return write.call(socket, data as string, encoding, callback)
    }
    if (waiting === '' && data !== '') setImmediate(flush)
    waiting += data
    // Node hands on a null where nobody wants to know
    if (typeof callback === 'function') process.nextTick(callback)
    if (waiting.length < socket.writableHighWaterMark) return !socket.writableNeedDrain
    flush()
    return !socket.writableNeedDrain
  }
  socket.write = coalesced as Write
  const end = socket.end
  // the last answer of a connection must not stay behind
  socket.end = ((...rest: Parameters<Socket['end']>) => {
    flush()
    return end.apply(socket, rest)
  }) as Socket['end']
}

/** Are all characters ASCII, so that every encoding writes them alike? */
function isPlainText(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 126) return false
  return true
}
