/**
 * Which session goes by which name: claimed with the right to answer under it, looked at anew when its client comes back,
 * given up to a peer whose name it is.
 * Invariant: a client that does not get a name, or loses it, is told why.
 */
import type { Component, Fault, Principal } from '@sapwood/core'
import { ERROR } from '@sapwood/core'
import type { Counters } from './counters.ts'
import type { Directory } from './directory.ts'
import { nameTaken } from './directory.ts'
import type { Gate } from './gate.ts'
import { Session } from './session.ts'

export interface NamesDeps {
  readonly directory: Directory
  readonly gate: Gate
  readonly counters: Counters
  /** Whoever goes by a name. */
  readonly named: (name: string) => Iterable<Component> | undefined
}

export class Names {
  readonly #deps: NamesDeps

  constructor(deps: NamesDeps) {
    this.#deps = deps
  }

  /** Gives a session the name that its client asks for, or tells the client why not. */
  claim(session: Session, name: string, principal: Principal): boolean {
    // it is over for good, and would keep the name
    if (session.ended) return false
    const { gate, directory } = this.#deps
    const may = gate.allows(principal, 'answer', `@${name}/**`)
    const detail = `${principal.id} may not answer as "${name.slice(0, 128)}"`
    const refused = may
      ? directory.claim(session, name)
      : { code: 'NOT_ALLOWED', detail, status: 403 }
    if (refused !== undefined) this.#refuse(session, name, refused)
    return refused === undefined
  }

  /** The client came back: it keeps its name if it still may. */
  keep(session: Session): void {
    const { name } = session
    if (name === undefined || this.claim(session, name, session.principal)) return
    this.#deps.directory.release(session)
  }

  /** A peer has this name: sessions that have it lose it; questions that wait for one of them are the peer's. */
  reclaim(name: string): void {
    const { directory, named } = this.#deps
    for (const session of [...(named(name) ?? [])]) {
      if (!(session instanceof Session)) continue
      directory.release(session)
      this.#refuse(session, name, nameTaken(name))
    }
    directory.came(name)
  }

  #refuse(session: Session, name: string, refused: Fault): void {
    this.#deps.counters.fault(refused.code)
    session.tell(ERROR, { ...refused, name })
  }
}
