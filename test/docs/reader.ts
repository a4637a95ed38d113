/**
 * Reads a page as a patient person would: runs each block as it stands, in order, and compares what comes with what
 * the page shows. Only addresses are put in place of those on the page.
 *
 *     sh               runs to its end, well          sh stays NAME   goes on, in a terminal of that name
 *     sh npm           are scripts of package.json    wire            a conversation
 *     js               runs to its end in Node        js file=FILE    stands in that file, and nothing else does
 *     js dev           the same, with a hub of dev    js|html NAME    for the test of that page
 *     text|json        what the block before prints   text NAME       what that terminal shows, line by line
 *     toml             settings                       ts              for the test of that page
 */
import type { Test } from 'tap'
import { inProcess } from '../cli/command.ts'
import type { CodeBlock } from './code-blocks.ts'
import { codeBlocks, placeOf, readPage } from './code-blocks.ts'
import { hold } from './conversation.ts'
import { Likeness } from './likeness.ts'
import type { Ended, Environment } from './terminal.ts'
import { Terminal, until } from './terminal.ts'

/** What pages show. */
export const HUB = 'http://127.0.0.1:8787'
export const SHOP = 'http://127.0.0.1:3000'

export interface ReaderOptions {
  /** The hub of the page. */
  readonly url: string
  /** Another one, of `sapwood dev`, where the page's own is not. */
  readonly dev?: string
  /** The page's application. */
  readonly shop?: string
  readonly env?: Environment
}

const NODE = [process.execPath, '--input-type=module', '-']

export class Reader {
  readonly #t: Test
  readonly #options: ReaderOptions
  readonly #likeness: Likeness
  readonly #env: Environment
  readonly #open = new Map<string, Terminal>()
  /** How far each terminal was compared, in lines. */
  readonly #compared = new Map<Terminal, number>()
  #before: { readonly block: CodeBlock; readonly ended?: Ended } | undefined

  constructor(t: Test, options: ReaderOptions) {
    const { url, shop = SHOP, env = {} } = options
    this.#t = t
    this.#options = options
    this.#likeness = new Likeness({ [HUB]: url, [SHOP]: shop })
    this.#env = { SAPWOOD_URL: url, ...env }
  }

  /** Reads a page, and gives each block once it has run. */
  async *read(page: string): AsyncGenerator<CodeBlock> {
    for (const block of codeBlocks(page)) {
      await this.#run(block)
      yield block
    }
    for (const terminal of this.#open.values()) await terminal.stop()
  }

  async #run(block: CodeBlock): Promise<void> {
    const before = this.#before
    this.#before = { block }
    const [word] = block.words
    switch (block.language) {
      case 'sh':
        if (word === 'npm') return this.#scripts(block)
        if (word === 'stays') return this.#stays(block)
        return this.#toItsEnd(block, new Terminal(this.#t, this.#meant(block), this.#env))
      case 'js':
        if (word?.startsWith('file=')) return this.#inFile(block, word.slice('file='.length))
        if (word === undefined || word === 'dev') return this.#program(block, word === 'dev')
        return
      case 'wire':
        return hold(this.#t, block, {
          likeness: this.#likeness,
          url: this.#options.url,
          env: this.#env,
        })
      case 'text':
      case 'json':
        return this.#shows(block, before)
      case 'toml':
        return this.#settings(block)
    }
  }

  #meant(block: CodeBlock): string {
    return this.#likeness.meant(block.text)
  }

  #scripts(block: CodeBlock): void {
    const { scripts } = JSON.parse(readPage('package.json')) as { scripts: Record<string, string> }
    for (const line of block.text.split('\n')) {
      const [, script = ''] = /^npm (?:run )?(\w+)/.exec(line) ?? []
      this.#t.ok(scripts[script], `${placeOf(block)}: ${line}`)
    }
  }

  /** Like a terminal that somebody looks at: it counts as started when it says something, or follows something. */
  async #stays(block: CodeBlock): Promise<void> {
    const [, name = ''] = block.words
    await this.#open.get(name)?.stop()
    const followers = await this.#followers()
    const terminal = new Terminal(this.#t, this.#meant(block), this.#env)
    this.#open.set(name, terminal)
    await until(`${placeOf(block)} has begun`, async () => {
      if (terminal.isOver) throw new Error(`${placeOf(block)} ended: ${terminal.stderr}`)
      return terminal.stdout !== '' || (await this.#followers()) > followers
    })
  }

  async #followers(): Promise<number> {
    try {
      const response = await fetch(`${this.#options.url}/client`)
      const clients = (await response.json()) as { readonly patterns: readonly string[] }[]
      return clients.filter(({ patterns }) => patterns.length > 0).length
    } catch {
      // no hub yet, or one that does not tell us
      return 0
    }
  }

  async #toItsEnd(block: CodeBlock, terminal: Terminal): Promise<void> {
    const ended = await terminal.end()
    this.#t.equal(ended.status, 0, `${placeOf(block)}: ${ended.stderr}`)
    this.#before = { block, ended }
  }

  #program(block: CodeBlock, isDev: boolean): Promise<void> {
    const { url, dev = url } = this.#options
    const text = isDev ? block.text.replaceAll(HUB, dev) : this.#meant(block)
    const env = isDev ? { SAPWOOD_URL: dev } : this.#env
    return this.#toItsEnd(block, new Terminal(this.#t, text, env, NODE))
  }

  #inFile(block: CodeBlock, file: string): void {
    this.#t.equal(`${block.text}\n`, readPage(file), `${placeOf(block)}: it is ${file}`)
  }

  async #shows(block: CodeBlock, before: { block: CodeBlock; ended?: Ended } | undefined) {
    const [name = before?.block.words[1]] = block.words
    const terminal = name === undefined ? undefined : this.#open.get(name)
    const shown = shownBy(block)
    if (terminal !== undefined) {
      for (const line of shown.split('\n')) await this.#line(block, terminal, line)
    } else if (before?.ended !== undefined) {
      const found = onOneLine(before.ended.stdout, block.language)
      this.#t.ok(this.#likeness.agrees(shown, found), `${placeOf(block)}: ${found}`)
    } else if (block.language === 'json') JSON.parse(block.text)
  }

  /** A terminal shows this line now or in a moment, behind the lines that were compared before. */
  async #line(block: CodeBlock, terminal: Terminal, line: string): Promise<void> {
    await until(`${placeOf(block)}: ${line} in ${terminal.stdout}`, () => {
      const lines = terminal.stdout.split('\n')
      for (let at = this.#compared.get(terminal) ?? 0; at < lines.length; at++) {
        if (!this.#likeness.agrees(line, lines[at] as string)) continue
        this.#compared.set(terminal, at + 1)
        return true
      }
      return false
    })
    this.#t.pass(`${placeOf(block)}: ${line}`)
  }

  async #settings(block: CodeBlock): Promise<void> {
    const file = `${this.#t.testdir({ 'sapwood.toml': block.text })}/sapwood.toml`
    const { status, stderr } = await inProcess(['config', 'check', file])
    this.#t.equal(status, 0, `${placeOf(block)}: ${stderr}`)
  }
}

/** What a block shows; JSON is spaced on a page so that people can read it. */
function shownBy({ text, language }: CodeBlock): string {
  return language === 'json' ? onOneLine(text, language) : text.replaceAll('\n\n', '\n').trimEnd()
}

function onOneLine(text: string, language: string): string {
  return language === 'json' ? JSON.stringify(JSON.parse(text)) : text.trimEnd()
}
