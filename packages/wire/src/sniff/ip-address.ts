/** IP addresses as text and as bytes, in network order: 4 of IPv4, 16 of IPv6 (RFC 4291 section 2.2, RFC 5952). */

const DECIMAL = /^(?:0|[1-9]\d{0,2})$/
const GROUP = /^[0-9a-f]{1,4}$/i
const MAPPED = 10

/**
 * The bytes of an address, or undefined if it is none. Octal and short forms of IPv4 are none; the zone of
 * `fe80::1%eth0` is passed over.
 */
export function parseIpAddress(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseIpv6(text.replace(/%[^%:]+$/, '')) : parseIpv4(text)
}

/** The shortest form; an IPv4 address inside IPv6 ends in its dots. */
export function formatIpAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  if (isMapped(bytes)) return `::ffff:${bytes.subarray(12).join('.')}`
  const groups: string[] = []
  for (let i = 0; i < 16; i += 2) {
    groups.push((((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0)).toString(16))
  }
  const { start, length } = longestZeros(groups)
  if (length < 2) return groups.join(':')
  return `${groups.slice(0, start).join(':')}::${groups.slice(start + length).join(':')}`
}

/** The IPv4 address that an IPv6 address stands for (`::ffff:192.0.2.1`); any other as it is. */
export function unmapped(address: Uint8Array): Uint8Array {
  return address.length === 16 && isMapped(address) ? address.subarray(12) : address
}

/** The IPv6 address that stands for an IPv4 address; any other as it is. */
export function mapped(address: Uint8Array): Uint8Array {
  if (address.length === 16) return address
  const bytes = new Uint8Array(16).fill(0xff, MAPPED, 12)
  bytes.set(address, 12)
  return bytes
}

function isMapped(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 12).every((byte, index) => byte === (index < MAPPED ? 0 : 0xff))
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  if (!parts.every((part) => DECIMAL.test(part) && Number(part) < 256)) return undefined
  return Uint8Array.from(parts, Number)
}

function parseIpv6(text: string): Uint8Array | undefined {
  const [head = '', tail, more] = text.split('::')
  if (more !== undefined) return undefined
  const before = groupsOf(head, tail === undefined)
  const after = groupsOf(tail ?? '', true)
  if (before === undefined || after === undefined) return undefined
  const missing = 16 - before.length - after.length
  // `::` stands for one group at least
  if (tail === undefined ? missing !== 0 : missing < 2) return undefined
  const bytes = new Uint8Array(16)
  bytes.set(before)
  bytes.set(after, 16 - after.length)
  return bytes
}

/** Two bytes a group, or undefined; the last may be an IPv4 address. */
function groupsOf(text: string, isLast: boolean): number[] | undefined {
  if (text === '') return []
  const groups = text.split(':')
  const bytes: number[] = []
  for (const [index, group] of groups.entries()) {
    if (GROUP.test(group)) {
      const value = Number.parseInt(group, 16)
      bytes.push(value >> 8, value & 255)
    } else {
      const dotted = isLast && index === groups.length - 1 ? parseIpv4(group) : undefined
      if (dotted === undefined) return undefined
      bytes.push(...dotted)
    }
  }
  return bytes.length <= 16 ? bytes : undefined
}

/** The first of the longest runs of groups that are zero. */
function longestZeros(groups: readonly string[]): { start: number; length: number } {
  let longest = { start: 0, length: 0 }
  for (let start = 0; start < groups.length; start++) {
    let end = start
    while (groups[end] === '0') end++
    if (end - start > longest.length) longest = { start, length: end - start }
    if (end > start) start = end
  }
  return longest
}
