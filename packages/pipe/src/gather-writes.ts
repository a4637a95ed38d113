/**
 * What one turn of the event loop writes leaves in one write, and from Node 22 on in one chunk of HTTP: TLS brings a body in
 * records of 16 KiB, and a write costs more than it carries.
 * Invariant: nothing is held across turns.
 */
import { OutgoingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { HttpResponse } from '@sapwood/http'

const GATHERING: unique symbol = Symbol('gathering')
type Gathering = (HttpResponse | OutgoingMessage | Duplex) & { [GATHERING]?: boolean }

/** Holds back what is written to `to` from now on, until this turn ends. To be called before each write. */
export function gatherWrites(to: HttpResponse | OutgoingMessage | Duplex): void {
  const gathering: Gathering = to
  if (gathering[GATHERING]) return
  gathering[GATHERING] = true
  to.cork()
  const socket = to instanceof OutgoingMessage ? to.socket : null
  socket?.cork()
  setImmediate(release, gathering, socket)
}

function release(gathering: Gathering, socket: Duplex | null): void {
  gathering[GATHERING] = false
  // the message first, so that what it lets go of finds its socket still corked
  gathering.uncork()
  socket?.uncork()
}
