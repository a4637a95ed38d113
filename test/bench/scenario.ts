/** What a scenario is: who takes part, what it does in the load process, and how its figures are shown. */
import { Audience } from './audience.ts'
import type { Goal } from './goal.ts'
import type { Peer } from './peer.ts'
import { Progress } from './progress.ts'
import { Publisher } from './publisher.ts'

/** Named numbers; `columns` says what they mean. */
export type Figures = Readonly<Record<string, number>>

export interface Row {
  readonly peer: string
  readonly figures: Figures
}

/** The server to measure. */
export interface Target {
  readonly peer: Peer
  readonly port: number
  readonly pid: number
}

export interface Column {
  readonly figure: string
  readonly title: string
  readonly digits: number
}

export interface Scenario {
  readonly name: string
  /** One line for the table. */
  readonly title: string
  /** Names of the peers, Sapwood first; none for a scenario without a server. */
  readonly peers: readonly string[]
  /** Ways to run it, each a row of its own for every peer. */
  readonly variants?: readonly string[]
  readonly columns: readonly Column[]
  /** The figure by which peers are compared. */
  readonly compare?: string
  readonly goal?: Goal
  /** What could not take part on this machine, and why. */
  readonly leftOut?: readonly string[]
  run(run: Run): Promise<Figures>
}

/** One run of a scenario, in the load process. */
export class Run {
  readonly variant: string
  readonly quick: boolean
  readonly progress: Progress = new Progress()
  readonly #target: Target | undefined
  readonly #closing: (() => void)[] = []

  constructor(target: Target | undefined, variant: string, quick: boolean) {
    this.#target = target
    this.variant = variant
    this.quick = quick
  }

  get target(): Target {
    if (this.#target === undefined) throw new Error('this scenario has no server')
    return this.#target
  }

  /** `full`, or `small` in a quick run. */
  size(full: number, small: number): number {
    return this.quick ? small : full
  }

  audience(): Audience {
    const { port, peer } = this.target
    const audience = new Audience(this.progress, port, peer.mark)
    this.#closing.push(() => audience.leave())
    return audience
  }

  publisher(connections: number): Publisher {
    const publisher = new Publisher(this.progress, this.target.port, connections)
    this.#closing.push(() => publisher.close())
    return publisher
  }

  close(): void {
    for (const close of this.#closing.splice(0)) close()
  }
}
