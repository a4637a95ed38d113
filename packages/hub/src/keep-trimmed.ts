/**
 * Lets old updates go from memory when nothing is published that would push them out. Other engines see to that
 * themselves.
 */
import type { Wheel } from '@sapwood/core'
import type { Engine } from './engine.ts'
import { MemoryEngine } from './memory-engine.ts'

/** How often, in milliseconds. */
const INTERVAL = 1000

/** Goes on until the wheel is closed. */
export function keepTrimmed(engine: Engine, wheel: Wheel): void {
  if (!(engine instanceof MemoryEngine)) return
  wheel.after(INTERVAL, () => {
    engine.trim()
    keepTrimmed(engine, wheel)
  })
}
