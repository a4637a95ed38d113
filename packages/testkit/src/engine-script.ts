/**
 * One random script for an engine: appends, pauses and reads. Each read is judged by the plainest model there is,
 * a list of all that was ever appended: nothing that was wanted may be missing in silence, and nothing may count
 * as lost that an engine within its limits must have.
 */
import { jsonMessage, matches, Update } from '@sapwood/core'
import type { Interest, ReadResult } from '@sapwood/hub'
import type { EngineCase, EngineLimits } from './opened-engine.ts'
import { EVERYTHING, OpenedEngine } from './opened-engine.ts'
import { randomNumbers } from './random.ts'

interface Appended {
  readonly offset: number
  readonly path: string
  readonly time: number
  readonly size: number
}

const PATHS = ['a', 'a/b', 'a/c', 'b', 'b/c/d', '::c/a']
const PATTERNS = [...PATHS, '**', '*', 'a/**', 'a/*', '*/c', 'b/**', '::c/*', 'nobody']

export class EngineScript {
  readonly #random: () => number
  readonly #all: Appended[] = []
  readonly #limits: EngineLimits
  #first = 0

  constructor(seed: number) {
    this.#random = randomNumbers(seed)
    this.#limits = {
      age: this.#pick([500, 1_000, EVERYTHING]),
      count: this.#pick([1, 7, 30, 1_000]),
      pathCount: this.#pick([1, 3, 10, 1_000]),
      bytes: this.#pick([400, 2_000, 1_000_000]),
    }
  }

  /** What went wrong first, or undefined. */
  async run(
    make: (limits: EngineLimits) => EngineCase | Promise<EngineCase>,
  ): Promise<string | undefined> {
    const it = new OpenedEngine(await make(this.#limits))
    this.#first = it.engine.head
    for (let step = 0; step < 80; step++) {
      const choice = this.#random()
      if (choice < 0.6) await this.#append(it)
      else if (choice < 0.7) await it.advance(this.#int(400))
      else {
        const fault = await this.#read(it)
        if (fault !== undefined) return `step ${step}: ${fault}`
      }
    }
    it.engine.close()
    return undefined
  }

  async #append(it: OpenedEngine): Promise<void> {
    const path = this.#pick(PATHS)
    const said = jsonMessage('x'.repeat(this.#int(60)))
    await it.append(path, said)
    const { size } = new Update(path, said)
    this.#all.push({ offset: it.engine.head, path, time: it.now(), size })
  }

  async #read(it: OpenedEngine): Promise<string | undefined> {
    const cursor = (): number => this.#first + this.#int(this.#all.length + 1)
    const interests = Array.from({ length: 1 + this.#int(3) }, () => ({
      pattern: this.#pick(PATTERNS),
      since: this.#random() < 0.3 ? 0 : cursor(),
    }))
    const after = this.#random() < 0.5 ? this.#first : cursor()
    const bytes = this.#pick([1, 300, 1_000, EVERYTHING])
    const result = await it.read(interests, { after, bytes })
    const asked = JSON.stringify({ interests, after, bytes, limits: this.#limits })
    const fault = this.#judge(it, interests, after, bytes, result)
    return fault === undefined ? undefined : `${fault} (asked ${asked})`
  }

  #judge(
    it: OpenedEngine,
    interests: readonly Interest[],
    after: number,
    bytes: number,
    { updates, until, count, lost }: ReadResult,
  ): string | undefined {
    const { engine } = it
    const found = new Set(updates.map(({ offset }) => offset))
    const wantedBy = (interest: Interest): Appended[] =>
      this.#all.filter(
        ({ offset, path }) =>
          offset > Math.max(after, interest.since) && matches(interest.pattern, path),
      )
    const wanted = new Set(interests.flatMap(wantedBy))
    let last = 0
    for (const { offset, path } of updates) {
      if (offset <= last) return `offset ${offset} came behind ${last}`
      last = offset
      const appended = this.#all[offset - this.#first - 1]
      if (appended?.path !== path) return `offset ${offset} is not what was appended`
      if (!wanted.has(appended)) return `offset ${offset} was not wanted`
    }
    if (engine.count > this.#limits.count) return `${engine.count} are retained`
    if (engine.bytes > this.#limits.bytes) return `${engine.bytes} bytes are retained`
    if (until > engine.head || until < last) return `until is ${until} of ${engine.head}`
    if (count < updates.length) return `count is ${count} of at least ${updates.length}`
    if (count > updates.length && updates.length === 0)
      return 'nothing came though something is there'
    if (count > updates.length && until !== last) return `until is ${until}, the last was ${last}`
    if (count === updates.length && until !== engine.head) return `complete until ${until} only`
    if (bytes === EVERYTHING && count !== updates.length) return 'stopped without a limit'
    const kept = new Set(this.#all.filter((each) => this.#mustBeKept(each, it.now())))
    for (const interest of interests) {
      const mine = wantedBy(interest)
      const cursor = Math.max(after, interest.since)
      if (!lost.includes(interest.pattern)) {
        const missing = mine.find(({ offset }) => offset <= until && !found.has(offset))
        if (missing) return `offset ${missing.offset} of ${interest.pattern} is missing in silence`
        continue
      }
      const sameElsewhere = interests.some(
        (other) => other !== interest && other.pattern === interest.pattern,
      )
      if (sameElsewhere) continue
      const allThere = this.#all.every((each) => each.offset <= cursor || kept.has(each))
      if (allThere)
        return `${interest.pattern} counts as lost though everything is within the limits`
      if (cursor >= engine.oldest && mine.every((each) => kept.has(each))) {
        return `${interest.pattern} counts as lost though nothing of it can be`
      }
    }
    return lost.find((pattern) => !interests.some((interest) => interest.pattern === pattern))
  }

  /** Is it within every limit, so that an engine has no reason to let it go? */
  #mustBeKept(one: Appended, now: number): boolean {
    const newer = this.#all.filter(({ offset }) => offset >= one.offset)
    const { age, count, pathCount, bytes } = this.#limits
    return (
      now - one.time < age &&
      newer.length <= count &&
      newer.filter(({ path }) => path === one.path).length <= pathCount &&
      newer.reduce((sum, { size }) => sum + size, 0) <= bytes
    )
  }

  #int(below: number): number {
    return Math.floor(this.#random() * below)
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#int(choices.length)] as T
  }
}
