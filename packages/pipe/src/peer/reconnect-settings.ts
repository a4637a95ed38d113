/** How a dialler comes back: full jitter below a ceiling that doubles. Times in milliseconds. */
export interface ReconnectSettings {
  /** The first ceiling of the random wait: 100 ms. */
  readonly first: number
  /** The highest: 5 s. */
  readonly highest: number
  /** A least wait in front of it: 0. */
  readonly least: number
  /** A link that lived for so long was a good one: the next wait is short again. 1 s. */
  readonly stable: number
  /** A number in [0, 1). */
  readonly random?: () => number
}

export const RECONNECT: ReconnectSettings = Object.freeze({
  first: 100,
  highest: 5_000,
  least: 0,
  stable: 1_000,
})
