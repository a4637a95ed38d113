/** What a scenario is to reach, held against what it reached in this run. */
import type { Row } from './scenario.ts'

export interface Goal {
  readonly text: string
  /** What is held against `most`; undefined when rows that it needs are missing. */
  value(rows: readonly Row[]): number | undefined
  readonly most: number
}

/** Sapwood's `figure` as a multiple of another peer's. */
export function against(peer: string, figure: string, text: string, most: number): Goal {
  const of = (rows: readonly Row[], name: string): number | undefined =>
    rows.find((row) => row.peer === name)?.figures[figure]
  return {
    text: `${text}, of ${peer},`,
    most,
    value: (rows) => {
      const [ours, theirs] = [of(rows, 'sapwood'), of(rows, peer)]
      return ours === undefined || theirs === undefined ? undefined : ours / theirs
    },
  }
}

/** The worst `figure` of all rows. */
export function worst(figure: string, text: string, most: number): Goal {
  return {
    text,
    most,
    value: (rows) => Math.max(...rows.map((row) => row.figures[figure] ?? Number.NaN)),
  }
}
