/** Lines in datagrams: several share one, as far as every link carries it in one piece. */
import { Buffer } from 'node:buffer'

/** The most that a datagram of IPv4 holds. */
export const LONGEST_PACKET = 65_507
/** What passes every link unfragmented; a line that is longer has a datagram of its own. */
const SHARED = 1200

/**
 * Sends `lines` in as few datagrams as that allows, in their order.
 * @param lines each with its end, at most `LONGEST_PACKET` bytes.
 */
export function sendPackets(
  lines: readonly Uint8Array[],
  send: (packet: Uint8Array) => void,
): void {
  let first = 0
  let size = 0
  for (const [index, { length }] of lines.entries()) {
    if (size > 0 && size + length > SHARED) {
      send(joined(lines, first, index))
      first = index
      size = 0
    }
    size += length
  }
  if (size > 0) send(joined(lines, first, lines.length))
}

function joined(lines: readonly Uint8Array[], from: number, to: number): Uint8Array {
  return to - from === 1 ? (lines[from] as Uint8Array) : Buffer.concat(lines.slice(from, to))
}
