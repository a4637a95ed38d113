/**
 * Tells an answerer that its answer is no longer wanted. Core has neither DOM nor Node types, so this is the
 * little that it needs of an AbortSignal; adapters turn one into the other.
 * Invariant: it fires once; a listener added afterwards is called at once, one that throws hinders no other.
 */
import { callAll } from './call-all.ts'

export class CancelSignal {
  #cancelled = false
  // most questions are answered and nobody ever listens
  #listeners: Set<() => void> | undefined

  get cancelled(): boolean {
    return this.#cancelled
  }

  /** Calls `listener` when cancelled. Returns its undo. */
  onCancel(listener: () => void): () => void {
    if (this.#cancelled) {
      listener()
      return () => undefined
    }
    this.#listeners ??= new Set()
    const listeners = this.#listeners.add(listener)
    return () => {
      listeners.delete(listener)
    }
  }

  /** @throws what a listener threw, after all were called. */
  cancel(): void {
    if (this.#cancelled) return
    this.#cancelled = true
    const listeners = this.#listeners
    this.#listeners = undefined
    if (listeners !== undefined) callAll(listeners)
  }
}
