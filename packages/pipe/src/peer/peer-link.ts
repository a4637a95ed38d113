/**
 * One connection of a session: a stream of bytes below, the protocol's `PipeLink` above, and between them who holds it: a
 * greeting at first, then a peer.
 * Invariant: its holder hears `lost` once, and nothing after it.
 */
import type { X509Certificate } from 'node:crypto'
import { TLSSocket } from 'node:tls'
import type { Fault, Wheel } from '@sapwood/core'
import type { Link, LinkOwner } from '@sapwood/net'
import type { PipeLink, PipeSink } from '@sapwood/wire'
import { LINK_LOST } from './peer-faults.ts'

/** Who hears of a link. */
export interface LinkHolder {
  arrived(link: PeerLink, bytes: Uint8Array): void
  /** All that was written has left. */
  emptied(link: PeerLink): void
  /** It is over. @param fault why, if this end does not know better. */
  lost(link: PeerLink, fault: Fault): void
}

/** Bytes in the socket beyond which bodies wait, so that small messages do not queue behind them. */
const SOCKET_BYTES = 131_072
/** Milliseconds for the last words of a link to leave. */
const LINGER = 2_000

export class PeerLink implements LinkOwner, PipeSink {
  readonly stream: Link
  #pipe: PipeLink
  #certificate: X509Certificate | undefined
  #holder: LinkHolder | undefined

  constructor(stream: Link, pipe: PipeLink, certificate: X509Certificate, holder: LinkHolder) {
    this.stream = stream
    this.#pipe = pipe
    this.#certificate = certificate
    this.#holder = holder
  }

  get pipe(): PipeLink {
    return this.#pipe
  }

  /** What the peer has shown. Undefined where only the connection had it, and is gone. */
  get certificate(): X509Certificate | undefined {
    if (this.#certificate !== undefined) return this.#certificate
    const { socket } = this.stream
    return socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined
  }

  /** Bytes that may be written now. */
  get room(): number {
    return SOCKET_BYTES - this.stream.waiting
  }

  /** From now on somebody else hears of it. */
  set holder(holder: LinkHolder) {
    this.#holder = holder
  }

  /** Another session is greeted for on the same connection: that of before is gone. */
  begin(pipe: PipeLink, holder: LinkHolder): void {
    this.#pipe = pipe
    this.#holder = holder
  }

  /**
   * Leaves the certificate to the connection: it is asked for once in a while, and with all that was read of it measures
   * a kilobyte. Of a listener: where a client of TLS resumes, its connection knows none.
   */
  releaseCertificate(): void {
    if (this.stream.socket instanceof TLSSocket) this.#certificate = undefined
  }

  /** Begins to tell. */
  open(): void {
    this.stream.open(this)
  }

  write(bytes: Uint8Array): boolean {
    return this.stream.write(bytes)
  }

  cork(): void {
    this.stream.socket?.cork()
  }

  uncork(): void {
    this.stream.socket?.uncork()
  }

  /** Lets what was written leave, and ends it; nobody hears of it any more. */
  end(wheel: Wheel): void {
    this.#holder = undefined
    this.stream.end()
    endLate(this.stream, wheel)
  }

  /** Ends it at once; nobody hears of it any more. */
  destroy(): void {
    this.#holder = undefined
    this.stream.destroy()
  }

  arrived(bytes: Uint8Array): void {
    this.#holder?.arrived(this, bytes)
  }

  emptied(): void {
    this.#holder?.emptied(this)
  }

  finished(): void {
    this.#lose()
    this.stream.destroy()
  }

  failed(): void {
    this.#lose()
  }

  gone(): void {
    this.#lose()
  }

  #lose(): void {
    const holder = this.#holder
    this.#holder = undefined
    holder?.lost(this, LINK_LOST)
  }
}

/** A peer that does not take the last words, or does not hang up, is hung up on. */
function endLate(stream: Link, wheel: Wheel): void {
  const forget = wheel.after(LINGER, () => stream.destroy())
  stream.socket?.once('close', forget)
}

/** Says why, and ends it. */
export function sendAway(stream: Link, lastWords: Uint8Array, wheel: Wheel): void {
  stream.open(NOBODY)
  stream.write(lastWords)
  stream.end()
  endLate(stream, wheel)
}

const NOBODY: LinkOwner = {
  arrived: () => undefined,
  emptied: () => undefined,
  finished: () => undefined,
  failed: () => undefined,
  gone: () => undefined,
}
