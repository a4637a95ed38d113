/** Time as a port: whoever needs it gets it handed in, tests hand in a fake. */
export interface Clock {
  /** Milliseconds on a clock that never goes back. */
  now(): number
  /** Calls `run` once after `ms` milliseconds; returns its undo. */
  after(ms: number, run: () => void): () => void
}
