/**
 * Compares what a page shows with what really comes. Ids, positions and secrets differ each time; but what is the same
 * on the page must be the same in the world, and what differs there must differ.
 * Invariant: once a word of the page stood for something, it stands for that up to the end of the page.
 */

/** A session's id, a position, a receipt's id, a secret. */
const WORD =
  /hub-[0-9a-f]{32}-\d+|\b[0-9a-f]{16}-\d+\b|\b[0-9a-f]{8}\.\d+\b|(?<![\w-])[\w-]{32}(?![\w-])/g
/** Stands for anything. */
const ANYTHING = '…'

export class Likeness {
  readonly #meant = new Map<string, string>()
  readonly #shown = new Map<string, string>()

  /** @param addresses what stands on the page, and what it is here. */
  constructor(addresses: Readonly<Record<string, string>>) {
    for (const [shown, meant] of Object.entries(addresses)) this.#meant.set(shown, meant)
  }

  /** What the page shows, with what it stands for. */
  meant(text: string): string {
    let meant = text
    for (const [shown, here] of this.#meant) meant = meant.replaceAll(shown, here)
    return meant
  }

  /** Does `found` look as the page shows it? */
  agrees(shown: string, found: string): boolean {
    const words: string[] = []
    let pattern = ''
    let from = 0
    for (const match of shown.matchAll(WORD)) {
      pattern += `${this.#plain(shown.slice(from, match.index))}(${WORD.source})`
      words.push(match[0])
      from = match.index + match[0].length
    }
    pattern += this.#plain(shown.slice(from))
    const match = new RegExp(`^${pattern}$`).exec(found)
    return match !== null && this.#bind(words, match.slice(1))
  }

  #plain(text: string): string {
    const escaped = this.meant(text).replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
    return escaped.replaceAll(ANYTHING, '[^]*?')
  }

  /** All of these stand for those, or, if one cannot, none. */
  #bind(shown: readonly string[], meant: readonly string[]): boolean {
    const [meantBy, shownBy] = [new Map(this.#meant), new Map(this.#shown)]
    for (const [index, word] of shown.entries()) {
      const here = meant[index] as string
      if ((meantBy.get(word) ?? here) !== here || (shownBy.get(here) ?? word) !== word) return false
      meantBy.set(word, here)
      shownBy.set(here, word)
    }
    for (const word of shown) this.#meant.set(word, meantBy.get(word) as string)
    for (const here of meant) this.#shown.set(here, shownBy.get(here) as string)
    return true
  }
}
