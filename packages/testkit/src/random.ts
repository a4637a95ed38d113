/**
 * Numbers that look random and are the same for the same seed (mulberry32), so a test that failed fails
 * again. Not for secrets.
 */

/** Gives a function that returns the next number in [0, 1). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** Gives a function that makes `length` letters and digits: the `random` that a controller needs. */
export function randomLetters(seed: number): (length: number) => string {
  const random = randomNumbers(seed)
  return (length) => {
    let text = ''
    for (let i = 0; i < length; i++) text += LETTERS[Math.floor(random() * LETTERS.length)]
    return text
  }
}
