/**
 * The link to one address over UDP. Datagrams stay whole: one that finds its connection busy waits, or is dropped and
 * counted where too many wait.
 */
import type { Address, HostAddress } from './address.ts'
import type { Link, LinkOwner } from './link.ts'

/** Bytes of datagrams that may wait for a busy connection. */
const QUEUE = 262_144
/** UDP takes what fits into the socket's own buffer. */
const LIMIT = 1_048_576

/** The socket that many links share. */
export interface DatagramPort {
  /** False if it was dropped. */
  send(bytes: Uint8Array, remote: HostAddress): boolean
  forget(link: DatagramLink): void
  /** A datagram for a link was dropped. */
  dropped(): void
}

export class DatagramLink implements Link {
  readonly local: Address
  readonly remote: HostAddress
  readonly secure = undefined
  readonly socket = undefined
  readonly waiting = 0
  readonly limit: number = LIMIT
  /** This end began: strangers do not push it out. */
  readonly dialled: boolean
  /** It said something since somebody last looked for one to push out. */
  lively = false
  readonly #port: DatagramPort
  #owner: LinkOwner | undefined
  #queue: Uint8Array[] = []
  #queued = 0
  #paused = false
  #closed = false

  constructor(port: DatagramPort, local: Address, remote: HostAddress, dialled: boolean) {
    this.#port = port
    this.local = local
    this.remote = remote
    this.dialled = dialled
  }

  open(owner: LinkOwner): void {
    this.#owner = owner
    this.resume()
  }

  /** A datagram came in. */
  receive(bytes: Uint8Array): void {
    if (this.#closed) return
    if (this.#owner !== undefined && !this.#paused) return this.#owner.arrived(bytes)
    if (this.#queued + bytes.length > QUEUE) return this.#port.dropped()
    this.#queue.push(bytes)
    this.#queued += bytes.length
  }

  write(bytes: Uint8Array): boolean {
    return !this.#closed && this.#port.send(bytes, this.remote)
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    const queue = this.#queue
    if (queue.length === 0) return
    this.#queue = []
    this.#queued = 0
    for (const bytes of queue) this.receive(bytes)
  }

  /** Somebody else needs its place. */
  evict(reason: { readonly code: string; readonly detail: string }): void {
    if (this.#owner === undefined) this.destroy()
    else this.#owner.failed(reason)
  }

  end(): void {
    this.destroy()
  }

  destroy(): void {
    if (this.#closed) return
    this.#closed = true
    this.#queue = []
    this.#port.forget(this)
    process.nextTick(gone, this)
  }

  get owner(): LinkOwner | undefined {
    return this.#owner
  }
}

function gone(link: DatagramLink): void {
  link.owner?.gone()
}
