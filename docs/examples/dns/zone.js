/**
 * What the DNS server knows: names, types and texts in a table, and the answer to any bytes that come in. It says only
 * what it is asked: an answer is never answered, so two servers cannot talk to each other for ever.
 */
import { answerTo, Code, INTERNET, readMessage, recordOf, roomFor } from './message.js'
import { typeName } from './records.js'

/** Seconds that others may keep an answer. */
const TTL = 300

const TABLE = {
  'sapwood.example': {
    A: ['192.0.2.1'],
    AAAA: ['2001:db8::1'],
    TXT: ['carries messages between back ends, browsers and machines'],
  },
  'www.sapwood.example': {
    A: ['192.0.2.10', '192.0.2.11'],
    AAAA: ['2001:db8::10', '2001:db8::11'],
  },
  // too long for a datagram
  'rings.sapwood.example': {
    TXT: Array.from(
      { length: 40 },
      (_, year) => `ring of the year ${2024 - year}: ${'~'.repeat(40)}`,
    ),
  },
}

/** The name of all that is answered for; others are refused. */
const APEX = 'sapwood.example'

/** Name → type → records, in bytes once and for all. */
const RECORDS = new Map(
  Object.entries(TABLE).map(([name, types]) => [
    name,
    new Map(
      Object.entries(types).map(([type, texts]) => [
        type,
        texts.map((text) => recordOf(type, text, TTL)),
      ]),
    ),
  ]),
)

/**
 * @param bytes a message as it came
 * @param transport `udp` has room for little, and says so in the answer
 * @returns the answer, or undefined for what is to be ignored
 */
export function respond(bytes, transport) {
  const query = readMessage(bytes)
  if (query === undefined || query.isAnswer) return undefined
  return answerTo(query, { ...findings(query), room: roomFor(query, transport) })
}

function findings({ isQuery, question }) {
  if (!isQuery) return { code: Code.NOT_IMPLEMENTED }
  if (question === undefined) return { code: Code.FORMAT }
  const { name, type } = question
  const isOurs = name === APEX || name.endsWith(`.${APEX}`)
  if (!isOurs || question.class !== INTERNET) return { code: Code.REFUSED }
  const types = RECORDS.get(name)
  if (types === undefined) return { code: Code.NO_SUCH_NAME }
  return { code: Code.NONE, records: types.get(typeName(type)) ?? [] }
}
