/**
 * Connections that have something to write at the end of this turn of the event loop: one queue and one immediate for
 * all, so that what a turn brings for a connection leaves in one write.
 */
export interface Flushable {
  /** Writes what waits. Must not throw. */
  flush(): void
}

let waiting: Flushable[] = []

/** Has `flushable` flushed at the end of this turn. The caller calls once a turn only. */
export function flushLater(flushable: Flushable): void {
  if (waiting.push(flushable) === 1) setImmediate(flushAll)
}

function flushAll(): void {
  const turn = waiting
  waiting = []
  for (const flushable of turn) flushable.flush()
}
