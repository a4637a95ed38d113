/** What the README of the examples says is so: its servers run, and its commands print what it shows. */
import { type Test, test } from 'tap'
import { type CodeBlock, codeBlocks, placeOf } from '../docs/code-blocks.ts'
import { Terminal, until } from '../docs/terminal.ts'
import { requires } from '../requires.ts'

const PROGRAMS = ['bash', 'nc', 'swaks', 'dig', 'dnsperf', 'redis-cli', 'redis-benchmark']

/** The ports on the page. */
const PORT = /\b(7007|2525|5300|6380)\b/g

/** Starts a server on a free port, and gives that. */
async function listening(t: Test, { text }: CodeBlock): Promise<string> {
  const server = new Terminal(t, text, { PORT: '0' })
  const port = () => /listens on 127\.0\.0\.1:(\d+)/.exec(server.stdout)?.[1]
  await until(`${text} listens`, () => server.isOver || port() !== undefined)
  return port() ?? server.stderr
}

test('the README of the examples runs as it stands', requires(...PROGRAMS), async (t) => {
  const blocks = codeBlocks('docs/examples/README.md')
  const isServer = ({ words }: CodeBlock) => words[0] === 'stays'
  const servers = blocks.filter(isServer)
  const ports = await Promise.all(servers.map((block) => listening(t, block)))
  let printed = ''
  for (const block of blocks) {
    const place = placeOf(block)
    const { heading, language, text } = block
    if (isServer(block)) continue
    if (language === 'sh') {
      const port = ports[servers.findIndex((server) => server.heading === heading)] ?? heading
      const { status, stdout, stderr } = await new Terminal(
        t,
        text.replaceAll(PORT, port),
        {},
      ).end()
      t.equal(status, 0, `${place}: ${stdout}${stderr}`)
      printed = stdout
    } else t.equal(printed.trimEnd(), text, place)
  }
})
