/**
 * Holds a conversation as a page shows it, over real WebSockets: `>` is sent, `<` has to come, `$` runs in a terminal and
 * `=` is what that prints. A `#` is a remark; where it says that the connection breaks, it does.
 */
import { once } from 'node:events'
import type { Test } from 'tap'
import { WebSocket } from 'ws'
import type { CodeBlock } from './code-blocks.ts'
import { placeOf } from './code-blocks.ts'
import type { Likeness } from './likeness.ts'
import type { Environment } from './terminal.ts'
import { Terminal, until } from './terminal.ts'

export interface ConversationDeps {
  readonly likeness: Likeness
  /** Where the hub is. */
  readonly url: string
  readonly env: Environment
}

class Party {
  readonly frames: string[] = []
  readonly #socket: WebSocket

  constructor(t: Test, url: string) {
    this.#socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, 'sapwood.v1')
    this.#socket.on('message', (data) => this.frames.push(String(data)))
    t.teardown(() => this.#socket.terminate())
  }

  async send(text: string): Promise<void> {
    if (this.#socket.readyState === WebSocket.CONNECTING) await once(this.#socket, 'open')
    this.#socket.send(text)
  }

  break(): void {
    this.#socket.terminate()
  }
}

export async function hold(t: Test, block: CodeBlock, deps: ConversationDeps): Promise<void> {
  const { likeness, url, env } = deps
  let party = new Party(t, url)
  let command: Terminal | undefined
  for (const [index, line] of block.text.split('\n').entries()) {
    const place = `${placeOf(block)} + ${index + 1}`
    const said = line.slice(2)
    if (line.startsWith('> ')) await party.send(likeness.meant(said))
    else if (line.startsWith('$ ')) command = new Terminal(t, likeness.meant(said), env)
    else if (line.startsWith('# ')) {
      if (!said.includes('the connection breaks')) continue
      party.break()
      party = new Party(t, url)
    } else if (line.startsWith('< ')) {
      await until(`${place}: a frame comes`, () => party.frames.length > 0)
      const frame = party.frames.shift() as string
      t.ok(likeness.agrees(said, frame), `${place}: ${frame}`)
    } else if (line.startsWith('= ')) {
      const { status, stdout, stderr } = (await command?.end()) ?? {}
      t.equal(status, 0, `${place}: ${stderr}`)
      t.ok(likeness.agrees(said, stdout?.trimEnd() ?? ''), `${place}: ${stdout}`)
    } else t.fail(`${place}: a line begins with > < $ = or #`)
  }
  party.break()
}
