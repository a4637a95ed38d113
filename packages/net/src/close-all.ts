/** What was started in parts is closed in parts. */

/** Closes each of `parts` in turn, also behind one that fails, and then throws what failed first. */
export async function closeAll(parts: Iterable<{ close(): unknown }>): Promise<void> {
  const thrown: unknown[] = []
  for (const part of parts) {
    try {
      await part.close()
    } catch (mistake) {
      thrown.push(mistake)
    }
  }
  if (thrown.length > 0) throw thrown[0]
}
