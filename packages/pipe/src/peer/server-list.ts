/**
 * The servers of a dialler, what is known of each, and which comes next.
 * Invariant: there is always one that is next, and a session belongs to one server: as its session, or as one that leaves.
 */
import type { HostAddress } from '@sapwood/net'
import { formatAddress } from '@sapwood/net'
import type { KeptSession } from '../trust/peer-certificate.ts'
import type { Peer } from './peer.ts'

/** What is known of one server. */
export interface Server {
  readonly address: HostAddress
  /** Its address as people write it. */
  readonly text: string
  /** Its session, as long as it may go on. */
  peer: Peer | undefined
  /** What makes the next handshake a short one. */
  kept: KeptSession | undefined
}

export class ServerList {
  readonly all: readonly Server[]
  /** Sessions whose servers take nothing new: they go on, over further links too, until what is open there has ended. */
  readonly leaving: Map<Peer, Server> = new Map()
  #at = 0

  /** @param addresses at least one. */
  constructor(addresses: readonly HostAddress[]) {
    this.all = addresses.map((address) => {
      return { address, text: formatAddress(address), peer: undefined, kept: undefined }
    })
  }

  /** The one to dial. */
  get next(): Server {
    return this.all[this.#at] as Server
  }

  set next(server: Server) {
    this.#at = this.all.indexOf(server)
  }

  /** The one whose session has a live link. */
  get live(): Server | undefined {
    return this.all.find(({ peer }) => peer?.attached)
  }

  /** Is there a connection to one, greeted or not? */
  get isLinked(): boolean {
    return this.all.some(({ peer }) => peer?.linked)
  }

  /** The server that this is the session of; not the one that it leaves. */
  of(peer: Peer): Server | undefined {
    return this.all.find((server) => server.peer === peer)
  }

  /** A session that leaves, and has lost its link before its end, and where it was. */
  cutOff(at?: Server): readonly [Peer, Server] | undefined {
    return [...this.leaving].find(([peer, server]) => !peer.linked && (at ?? server) === server)
  }

  /** All sessions. */
  peers(): Peer[] {
    const current = this.all.map(({ peer }) => peer).filter((peer) => peer !== undefined)
    return [...current, ...this.leaving.keys()]
  }

  /** Has the one behind it dialled. */
  advance(): void {
    this.#at = (this.#at + 1) % this.all.length
  }

  /** The next handshakes are full ones, which show the certificates of now. */
  forgetTickets(): void {
    for (const server of this.all) server.kept = undefined
  }
}
