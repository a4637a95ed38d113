/** The types of DNS records that the example knows, and their data as text and as bytes. */
import { SocketAddress } from 'node:net'

export const Type = { A: 1, TXT: 16, AAAA: 28, OPT: 41 }

/** A text in a TXT record is one string or more, each with its length in front of it. */
const LONGEST_STRING = 255

/** Data as text in bytes, and back; undefined for bytes that are no data of the type. */
export const DATA = {
  A: {
    write: (text) => Buffer.from(text.split('.').map(Number)),
    read: (bytes) => (bytes.length === 4 ? bytes.join('.') : undefined),
  },
  AAAA: { write: writeAddress, read: readAddress },
  TXT: { write: writeText, read: readText },
}

/** The name of a type, or undefined. */
export function typeName(number) {
  return Object.keys(DATA).find((name) => Type[name] === number)
}

/** A record as people read it; what is not known looks as RFC 3597, section 5, has it. */
export function recordText({ name, ttl, type, data }) {
  const known = typeName(type)
  const text = known === undefined ? undefined : DATA[known].read(data)
  const bytes = Buffer.from(data).toString('hex')
  return `${name} ${ttl} ${known ?? `TYPE${type}`} ${text ?? `\\# ${data.length} ${bytes}`}`
}

function writeAddress(text) {
  const [head, tail] = text
    .replace(/[\d.]+\.\d+$/, lastGroups)
    .split('::')
    .map(groupsOf)
  const missing = tail === undefined ? 0 : 8 - head.length - tail.length
  return uint16s([...head, ...new Array(missing).fill(0), ...(tail ?? [])])
}

/** The last four bytes may be written as an IPv4 address. */
function lastGroups(address) {
  const bytes = DATA.A.write(address)
  return `${bytes.readUInt16BE(0).toString(16)}:${bytes.readUInt16BE(2).toString(16)}`
}

function groupsOf(part) {
  const groups = part.split(':').filter((group) => group !== '')
  return groups.map((group) => Number.parseInt(group, 16))
}

function readAddress(bytes) {
  if (bytes.length !== 16) return undefined
  const groups = Buffer.from(bytes).toString('hex').match(/.{4}/g) ?? []
  return new SocketAddress({ family: 'ipv6', address: groups.join(':') }).address
}

function writeText(text) {
  const bytes = Buffer.from(text)
  const strings = []
  for (let at = 0; at === 0 || at < bytes.length; at += LONGEST_STRING) {
    const string = bytes.subarray(at, at + LONGEST_STRING)
    strings.push(Buffer.of(string.length), string)
  }
  return Buffer.concat(strings)
}

function readText(bytes) {
  const strings = []
  for (let at = 0; at < bytes.length; at += 1 + bytes[at]) {
    strings.push(bytes.subarray(at + 1, at + 1 + bytes[at]))
  }
  return Buffer.concat(strings).toString()
}

/** Big endian, as all numbers of the protocol. */
export function uint16s(numbers) {
  return Buffer.from(numbers.flatMap((number) => [number >>> 8, number & 0xff]))
}
