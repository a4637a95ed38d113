/**
 * Local events: typed, and isolated from each other, so that a handler that throws hinders nobody.
 * Nothing that is routed goes through here.
 */
import mitt from 'mitt'

// its types are taken for a CommonJS module's, where the function would be one level deeper
const makeEmitter = mitt as unknown as typeof mitt.default

export class Events<Map extends Record<string, unknown>> {
  readonly #emitter = makeEmitter<Map>()
  readonly #onThrow: (thrown: unknown, event: string) => void

  /** @param onThrow told of what a handler threw. */
  constructor(onThrow: (thrown: unknown, event: string) => void) {
    this.#onThrow = onThrow
  }

  /** Calls `handler` at each event of that name. Returns its undo. */
  on<Name extends keyof Map>(name: Name, handler: (event: Map[Name]) => void): () => void {
    const guarded = (event: Map[Name]): void => {
      try {
        handler(event)
      } catch (thrown) {
        this.#onThrow(thrown, String(name))
      }
    }
    this.#emitter.on(name, guarded)
    return () => this.#emitter.off(name, guarded)
  }

  emit<Name extends keyof Map>(name: Name, event: Map[Name]): void {
    this.#emitter.emit(name, event)
  }

  /** Does anybody listen? */
  heard(name: keyof Map): boolean {
    return (this.#emitter.all.get(name)?.length ?? 0) > 0
  }
}
