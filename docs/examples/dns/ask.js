/**
 * Asks a DNS server and prints the records, one a line.
 *
 *     node docs/examples/dns/ask.js 127.0.0.1:5300 rings.sapwood.example TXT
 */
import { parseAddress } from '@sapwood/net'
import { lookUp } from './client.js'
import { Code } from './message.js'
import { DATA, recordText, Type } from './records.js'

const [server, name, type = 'A'] = process.argv.slice(2)
if (name === undefined || !Object.hasOwn(DATA, type)) {
  console.error(`usage: ask.js HOST:PORT NAME [${Object.keys(DATA).join(' | ')}]`)
  process.exit(2)
}

const { code, records } = await lookUp(parseAddress(server), name, Type[type])
for (const record of records) console.log(recordText(record))
if (code !== Code.NONE) {
  console.error(Object.keys(Code).find((key) => Code[key] === code) ?? `code ${code}`)
  process.exitCode = 1
}
