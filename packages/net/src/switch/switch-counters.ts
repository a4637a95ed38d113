/** What a switch counts: plain numbers, read when somebody asks. Invariant: all but `open` only grow. */
export class SwitchCounters {
  /** Connections taken from the listener. */
  accepted = 0
  /** Connections that are open now. */
  open = 0
  /** Connections that were over before it was known what they want; health checks of balancers, mostly. */
  left = 0
  /** Connections that no rule wanted. */
  unmatched = 0
  /** Connections that went to a target of another process. */
  spliced = 0
  /** Bytes that went from clients to targets of other processes, replayed ones included. */
  bytesUp = 0
  /** Bytes that came back. */
  bytesDown = 0
  /** What went wrong, by code. */
  readonly faults: Map<string, number> = new Map()

  readonly #also: ((code: string) => void) | undefined

  /** @param also hears each fault, for whoever counts more than one port. */
  constructor(also?: (code: string) => void) {
    this.#also = also
  }

  fault(code: string): void {
    this.#also?.(code)
    this.faults.set(code, (this.faults.get(code) ?? 0) + 1)
  }
}
