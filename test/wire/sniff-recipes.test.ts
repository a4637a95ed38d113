import { readFileSync } from 'node:fs'
import { bytesPattern, isAnchored } from '@sapwood/wire'
import { test } from 'tap'
import { sniffed } from './sniffing.ts'

const PAGE = readFileSync(new URL('../../../docs/edge.md', import.meta.url), 'utf8')
const RECIPES = new Map(
  [...PAGE.matchAll(/^\| ([^|]*?) *\| `'(\^.*)'` *\|$/gm)].map(([, name, pattern]) => [
    name,
    pattern,
  ]),
)

/** What clients begin with, written down from conversations. */
const BEGINNINGS: Readonly<Record<string, string>> = {
  Redis: '*1\r\n$4\r\nPING\r\n',
  'PostgreSQL, TLS asked for': '\x00\x00\x00\x08\x04\xd2\x16\x2f',
  'PostgreSQL, in clear': '\x00\x00\x00\x29\x00\x03\x00\x00user\x00me\x00database\x00mine\x00\x00',
  'MQTT 3.1.1 and 5': '\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04DIGI',
  'SOCKS 5': '\x05\x02\x00\x02',
  'DNS over TCP, a query':
    '\x00\x1d\x12\x34\x01\x20\x00\x01\x00\x00\x00\x00\x00\x01\x00\x00\x01\x00\x01',
  'Remote Desktop': '\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00',
  'RabbitMQ and others of AMQP': 'AMQP\x00\x00\x09\x01',
}

test('the recipes of the documentation tell each other apart, HTTP and TLS too', async (t) => {
  t.same([...RECIPES.keys()].sort(), Object.keys(BEGINNINGS).sort())
  const others = ['GET / HTTP/1.1\r\n', '\x16\x03\x01\x02\x00\x01', 'SSH-2.0-OpenSSH_9.2\r\n']
  for (const [name = '', pattern = ''] of RECIPES) {
    t.ok(isAnchored(pattern), `${name} holds nothing back`)
    const matcher = bytesPattern(pattern)
    const fits = Object.keys(BEGINNINGS).filter(
      (of) => matcher(sniffed(BEGINNINGS[of] ?? '')) === 'yes',
    )
    t.same(fits, [name])
    for (const other of others) t.equal(matcher(sniffed(other)), 'no', `${name}: ${other}`)
  }
})
