/** Far ends of a pipe: `pipe-client DIR PORT TARGET [COUNT]`, with handlers, or with a target at that port. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeClient } from '@sapwood/pipe'
import { answer, blocks, lengthOf } from './far-handler.ts'

const [dir = '', port, target = '0', count = '1'] = process.argv.slice(2)
const read = (file: string): string => readFileSync(join(dir, file), 'utf8')

const sink = Object.assign(
  async (_context: unknown, [, body]: readonly [string, unknown]) => {
    return { bytes: await lengthOf(body as AsyncIterable<Uint8Array>) }
  },
  { stream: true },
)
const HANDLERS = {
  get_time: () => ['application/json', 0, answer()],
  get_blob: (_context: unknown, _body: unknown, bytes: string) => {
    return ['application/octet-stream', 0, Readable.from(blocks(Number(bytes)))]
  },
  post_sink: sink,
  post_echo: () => ['application/octet-stream', 0, answer()],
}

for (let i = 0; i < Number(count); i++) {
  await pipeClient({
    name: 'far',
    server: `127.0.0.1:${port}`,
    key: read('far.key.pem'),
    cert: read('far.crt.pem'),
    ca: read('ca.crt.pem'),
    settings: { handshake: 60_000 },
    ...(target === '0' ? { handlers: HANDLERS } : { target: `http://127.0.0.1:${target}` }),
  })
}
console.log('ready')
