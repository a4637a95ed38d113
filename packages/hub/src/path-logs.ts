/**
 * The logs of all retained paths, and which of them a pattern matches. When a network comes back, thousands of
 * sessions ask for the same patterns at once; what was found for one is kept for the others until a path
 * comes or goes.
 * Invariant: what is kept is what a search would find now.
 */
import { flatCopy, hasWildcard } from '@sapwood/core'
import { PathIndex } from './path-index.ts'
import { PathLog } from './path-log.ts'

/** Patterns whose logs are kept, and logs in all that are kept for them. */
const KEPT_PATTERNS = 4096
const KEPT_LOGS = 1_000_000

export class PathLogs {
  readonly #logs = new Map<string, PathLog>()
  readonly #index = new PathIndex<PathLog>()
  readonly #matching = new Map<string, readonly PathLog[]>()
  #kept = 0

  /** The log of `path`, made if there is none. */
  open(path: string): PathLog {
    const known = this.#logs.get(path)
    if (known !== undefined) return known
    // it stays for as long as its path is published at, whatever the path was cut from does not
    const log = new PathLog(flatCopy(path))
    this.#logs.set(log.path, log)
    this.#index.set(log.path, log)
    this.#forget()
    return log
  }

  drop(log: PathLog): void {
    this.#logs.delete(log.path)
    this.#index.delete(log.path)
    this.#forget()
  }

  /** The logs that `pattern` matches; undefined if that are more than `most`. */
  matching(pattern: string, most: number): readonly PathLog[] | undefined {
    if (!hasWildcard(pattern)) {
      const log = this.#logs.get(pattern)
      return log === undefined ? NONE : [log]
    }
    const known = this.#matching.get(pattern)
    if (known !== undefined) return known.length > most ? undefined : known
    const found: PathLog[] = []
    this.#index.each(pattern, (log) => found.push(log) <= most)
    if (found.length > most) return undefined
    this.#keep(pattern, found)
    return found
  }

  #keep(pattern: string, found: readonly PathLog[]): void {
    this.#kept += found.length
    if (this.#matching.size >= KEPT_PATTERNS || this.#kept > KEPT_LOGS) {
      this.#forget()
      this.#kept = found.length
    }
    this.#matching.set(pattern, found)
  }

  #forget(): void {
    if (this.#matching.size === 0) return
    this.#matching.clear()
    this.#kept = 0
  }
}

const NONE: readonly PathLog[] = []
