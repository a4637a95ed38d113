/** An update as a line of NDJSON: its envelope and a line feed. */
import type { Codec } from '@sapwood/core'
import { envelopeText } from './envelope.ts'
import { Slot } from './slots.ts'
import { utf8 } from './utf8.ts'

export const jsonLine: Codec<Uint8Array> = {
  slot: Slot.jsonLine,
  encode: (update) => utf8(`${envelopeText(update)}\n`),
}
