/**
 * Who may come in: connections at a time, in all and of one host.
 * Invariant: each that was admitted leaves once, so the counts are of those that are here now.
 */
import type { Address } from './address.ts'
import { sourceOf } from './address.ts'
import type { ConnectionLimits } from './limits.ts'

export type AdmissionLimits = Pick<ConnectionLimits, 'connections' | 'perAddress'>

const FAULTS = {
  connections: 'LIMIT_CONNECTIONS',
  perAddress: 'LIMIT_CONNECTIONS_PER_ADDRESS',
} as const

/** Hears why somebody was not admitted. */
interface Refused {
  fault(code: string): void
}

export class Admission {
  readonly #limits: AdmissionLimits
  readonly #refused: Refused
  readonly #perSource = new Map<string, number>()
  #count = 0

  /** @param limits 0 is none. */
  constructor(limits: AdmissionLimits, refused: Refused) {
    this.#limits = limits
    this.#refused = refused
  }

  /** Which limit keeps one more away, if one does. Paths have no limit each. */
  full(remote: Address): keyof AdmissionLimits | undefined {
    const { connections, perAddress } = this.#limits
    const source = sourceOf(remote)
    const same = this.#perSource.get(source) ?? 0
    // the narrower one first: it says who takes too much
    if (perAddress > 0 && source !== '' && same >= perAddress) return 'perAddress'
    return connections > 0 && this.#count >= connections ? 'connections' : undefined
  }

  /** Is there room for one more? It is counted then, until it has `left`. */
  admit(remote: Address): boolean {
    const full = this.full(remote)
    if (full !== undefined) {
      this.#refused.fault(FAULTS[full])
      return false
    }
    const source = sourceOf(remote)
    this.#count++
    this.#perSource.set(source, (this.#perSource.get(source) ?? 0) + 1)
    return true
  }

  left(remote: Address): void {
    const source = sourceOf(remote)
    const count = (this.#perSource.get(source) ?? 0) - 1
    this.#count--
    if (count > 0) this.#perSource.set(source, count)
    else this.#perSource.delete(source)
  }
}
