/** Calls each of `calls`, also after one that throws, and then throws what was thrown first. */
export function callAll(calls: Iterable<() => void>): void {
  const thrown: unknown[] = []
  for (const call of calls) {
    try {
      call()
    } catch (mistake) {
      thrown.push(mistake)
    }
  }
  if (thrown.length > 0) throw thrown[0]
}
