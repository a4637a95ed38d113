/**
 * Two streams in this process, each the other's peer: the wire of the memory transport. Bytes arrive a turn of the
 * event loop later, as they would from a socket.
 * Invariant: a side that does not read holds back the other; end of file and destruction arrive behind what was sent.
 */
import { Duplex } from 'node:stream'

/** @example const [near, far] = duplexPair() */
export function duplexPair(): [Duplex, Duplex] {
  const near: Duplex = end(() => far)
  const far: Duplex = end(() => near)
  return [near, far]
}

/** What the peer calls when it has read. */
const READ: unique symbol = Symbol('read')
type End = Duplex & { [READ]?: (() => void) | undefined }

function end(peer: () => End): Duplex {
  const self: End = new Duplex({
    read() {
      const taken = self[READ]
      self[READ] = undefined
      taken?.()
    },
    write(chunk: Uint8Array, _encoding, done) {
      setImmediate(() => {
        const other = peer()
        if (other.destroyed) return done(reset())
        if (other.push(chunk)) done()
        else other[READ] = done
      })
    },
    final(done) {
      setImmediate(() => {
        const other = peer()
        if (!other.destroyed) other.push(null)
        done()
      })
    },
    destroy(error, done) {
      const other = peer()
      const whole = self.writableFinished
      setImmediate(() => {
        // who said all has hung up, who did not has broken off
        if (!other.destroyed && !whole) other.destroy(reset())
        done(error)
      })
      const taken = self[READ]
      self[READ] = undefined
      taken?.()
    },
  })
  return self
}

function reset(): NodeJS.ErrnoException {
  return Object.assign(new Error('the peer cut the connection'), { code: 'ECONNRESET' })
}
