/**
 * Lets callers use other names than certificates have (RP-07): a function translates each before it is asked.
 * Invariant: a name that it does not know is nobody's, whoever may be called so; what else it throws is told and asks nobody.
 */
import { reasonOf, SapwoodError, type Wheel } from '@sapwood/core'
import type { Asker } from '../exchange.ts'

/** The name in a certificate; undefined, or a promise of it, if there is nobody. */
export type ResolveName = (name: string) => unknown

/** Milliseconds that it may take. */
const LONGEST = 10_000

interface Found {
  readonly name?: string
  readonly fault?: SapwoodError
}

/** @example resolvingAsker(peers, (name) => name.split('.')[0], wheel) */
export function resolvingAsker(asker: Asker, resolve: ResolveName, wheel: Wheel): Asker {
  return new ResolvingAsker(asker, resolve, wheel)
}

class ResolvingAsker implements Asker {
  readonly #asker: Asker
  readonly #resolve: ResolveName
  readonly #wheel: Wheel
  /** What was found for a name; there only while `done` of `whenBack` runs, which asks. */
  readonly #found = new Map<string, Found>()

  constructor(asker: Asker, resolve: ResolveName, wheel: Wheel) {
    this.#asker = asker
    this.#resolve = resolve
    this.#wheel = wheel
  }

  /** Whoever it is may be there or not: `whenBack` finds out. */
  absence(name: string): 'away' | undefined {
    return this.#found.has(name) ? undefined : 'away'
  }

  whenBack(name: string, wait: number, done: (there: boolean) => void): () => void {
    let giveUp: (() => void) | undefined
    let isOver = false
    const over = (run: () => void): void => {
      if (isOver) return
      isOver = true
      giveUp?.()
      run()
    }
    const found = (resolved: unknown): void =>
      over(() => {
        giveUp = this.#await(name, foundOf(name, resolved), wait, done)
      })
    const failed = (thrown: unknown): void =>
      over(() => {
        const isNobody = isLookupError(thrown)
        this.#tell(name, isNobody ? {} : { fault: failure(name, reasonOf(thrown)) }, done)
      })
    try {
      const resolved = this.#resolve(name)
      if (resolved instanceof Promise) {
        giveUp = this.#wheel.after(LONGEST, () => failed(`no answer within ${LONGEST} ms`))
        resolved.then(found, failed)
      } else found(resolved)
    } catch (thrown) {
      failed(thrown)
    }
    return () => {
      isOver = true
      giveUp?.()
    }
  }

  ask(...[name, head, ends, listener]: Parameters<Asker['ask']>): ReturnType<Asker['ask']> {
    const { name: resolved, fault } = this.#found.get(name) ?? {}
    if (fault !== undefined) throw fault
    if (resolved === undefined) throw unknown(name)
    return this.#asker.ask(resolved, head, ends, listener)
  }

  /** @returns what gives up. */
  #await(
    name: string,
    found: Found,
    wait: number,
    done: (there: boolean) => void,
  ): (() => void) | undefined {
    const { name: resolved } = found
    if (resolved === undefined || this.#asker.absence(resolved) !== 'away') {
      this.#tell(name, found, done)
      return undefined
    }
    return this.#asker.whenBack(resolved, wait, (isThere) => {
      if (isThere) this.#tell(name, found, done)
      else done(false)
    })
  }

  #tell(name: string, found: Found, done: (there: boolean) => void): void {
    this.#found.set(name, found)
    try {
      done(true)
    } finally {
      this.#found.delete(name)
    }
  }
}

/** As RestPipe's resolvers and the DNS of Node say that there is nobody (RP-07, RP-08). */
function isLookupError(thrown: unknown): boolean {
  const { name, code } = Object(thrown) as { readonly name?: unknown; readonly code?: unknown }
  return name === 'LookupError' || code === 'ENOTFOUND'
}

function foundOf(name: string, resolved: unknown): Found {
  if (typeof resolved === 'string') return { name: resolved }
  if (resolved === undefined || resolved === null) return {}
  return { fault: failure(name, `it gave a ${typeof resolved}`) }
}

function failure(name: string, reason: string): SapwoodError {
  const detail = `the name "${name}" cannot be resolved: ${reason}; look at the resolver`
  return new SapwoodError('RESOLVER_FAILED', detail, { status: 500 })
}

function unknown(name: string): SapwoodError {
  return new SapwoodError('CLIENT_UNKNOWN', `the resolver knows nobody called "${name}"`, {
    status: 404,
  })
}
