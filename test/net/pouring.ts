/** A client that writes as fast as it is read, and no faster. */
import type { Socket } from 'node:net'

const CHUNK = Buffer.alloc(64 * 1024, 'x')

/** Writes without end, as fast as it is read. */
export function pour(socket: Socket): { sent: number } {
  const poured = { sent: 0 }
  const more = (): void => {
    while (!socket.destroyed) {
      poured.sent += CHUNK.length
      if (!socket.write(CHUNK)) return
    }
  }
  socket.on('drain', more)
  more()
  return poured
}

/** Waits until `poured` has stood still for a while. */
export async function stands(poured: { readonly sent: number }): Promise<number> {
  for (let before = -1; before !== poured.sent; ) {
    before = poured.sent
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return poured.sent
}
