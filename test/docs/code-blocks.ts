/** The fenced blocks of a Markdown page: what a reader would paste, and what they would compare it with. */
import { readFileSync } from 'node:fs'

/** The top of the repository, where a reader runs everything. */
export const TOP: string = new URL('../../../', import.meta.url).pathname

export interface CodeBlock {
  readonly page: string
  /** The line of its fence, from 1. */
  readonly line: number
  readonly heading: string
  readonly language: string
  /** What else stands behind the fence; readers do not see it. */
  readonly words: readonly string[]
  readonly text: string
}

/** @param page from the top of the repository, `docs/tutorial.md`. */
export function codeBlocks(page: string): CodeBlock[] {
  const blocks: CodeBlock[] = []
  let heading = ''
  let open: { line: number; info: readonly string[]; lines: string[] } | undefined
  for (const [index, line] of readPage(page).split('\n').entries()) {
    const fence = /^```(.*)$/.exec(line)
    if (open === undefined) {
      if (fence !== null) open = { line: index + 1, info: (fence[1] ?? '').split(' '), lines: [] }
      else if (line.startsWith('#')) heading = line.replace(/^#+ /, '')
    } else if (fence === null) open.lines.push(line)
    else {
      const [language = '', ...words] = open.info
      blocks.push({ page, line: open.line, heading, language, words, text: open.lines.join('\n') })
      open = undefined
    }
  }
  if (open !== undefined) throw new Error(`${page}:${open.line}: the block has no end`)
  return blocks
}

export function readPage(page: string): string {
  return readFileSync(TOP + page, 'utf8')
}

/** Where a block stands, for messages. */
export function placeOf({ page, line }: CodeBlock): string {
  return `${page}:${line}`
}
