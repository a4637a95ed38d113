/** What stands in the table for one setting. */
import type { KindName, Traits } from './kinds.ts'

/** What is true of few settings only. */
export interface Extras extends Omit<Traits, 'kind'> {
  /** Its flag, of commands that have it: of two sections each may have a `--key`. All others are reached by `--set`. */
  readonly flag?: string
}

/** Kind, default as it would stand in the file, help. */
export type Row = readonly [KindName, Fallback, string, Extras?]

export type Fallback =
  | string
  | number
  | boolean
  | readonly never[]
  | Readonly<Record<string, unknown>>
