/** How the parsers of this package refuse: with a fault instead of a value. */
import type { Fault } from '@sapwood/core'

/** Is it a refusal? Nothing else that these parsers give has a `code`. */
export function isFault(value: object): value is Fault {
  return 'code' in value
}
