/**
 * Which turn of the event loop this is, for whoever wants to know whether something happened in it before.
 * Invariant: the number grows from one turn to the next in which it is asked for.
 */

let turn = 0
let isNoted = false

export function loopTurn(): number {
  if (!isNoted) {
    isNoted = true
    setImmediate(next)
  }
  return turn
}

function next(): void {
  turn++
  isNoted = false
}
