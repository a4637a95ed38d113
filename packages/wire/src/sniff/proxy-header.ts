/**
 * The PROXY protocol, versions 1 and 2: what a proxy says of the connection that it speaks for, before the first byte
 * of it. Believe it only from peers that may say so.
 */
import type { Fault } from '@sapwood/core'
import { SapwoodError } from '@sapwood/core'
import { PROXY_V1, PROXY_V2, startsWith } from './first-bytes.ts'
import { formatIpAddress, mapped, parseIpAddress, unmapped } from './ip-address.ts'
import { ascii, latin1 } from './latin1.ts'

/** One end of a connection: a host (an IP address) and its port, or the path of a Unix socket. */
export type ProxyAddress =
  | { readonly host: string; readonly port: number }
  | { readonly path: string }

export interface ProxyHeader {
  /** How many bytes it has: the connection itself begins behind them. */
  readonly length: number
  /** The client. Absent if the proxy does not know, or speaks for itself (`LOCAL`): then the socket's addresses count. */
  readonly source?: ProxyAddress
  /** Where the client wanted to go. */
  readonly destination?: ProxyAddress
}

/** The longest header of version 1, its line end included. */
const MOST_V1 = 107
const UNKNOWN = /^PROXY UNKNOWN[ \r]/
/** Bytes of an address. */
const FAMILIES: ReadonlyMap<string, number> = new Map(Object.entries({ TCP4: 4, TCP6: 16 }))
const LINE_FEED = 10
const PORT = /^(?:0|[1-9]\d{0,4})$/
const HEAD_V2 = 16
const LOCAL = 0x20
const PROXY = 0x21
const TCP4 = 0x11
const TCP6 = 0x21
const UNIX = 0x31
const UNIX_PATH = 108

/**
 * Reads the header at the start of a connection.
 * @returns `more` if it is not there whole, or a fault `PROXY_INVALID`.
 * @example
 * const header = parseProxyHeader(bytes)
 * if (header === 'more') return wait()
 * if (isFault(header)) return close()
 * const rest = bytes.subarray(header.length)
 */
export function parseProxyHeader(bytes: Uint8Array): ProxyHeader | 'more' | Fault {
  const isV1 = startsWith(bytes, PROXY_V1)
  const isV2 = startsWith(bytes, PROXY_V2)
  if (isV1 === 'yes') return parseV1(bytes)
  if (isV2 === 'yes') return parseV2(bytes)
  return isV1 === 'no' && isV2 === 'no' ? invalid('does not begin with a signature') : 'more'
}

function parseV1(bytes: Uint8Array): ProxyHeader | 'more' | Fault {
  const end = bytes.subarray(0, MOST_V1).indexOf(LINE_FEED)
  if (end < 0)
    return bytes.length < MOST_V1 ? 'more' : invalid(`has no line end in ${MOST_V1} bytes`)
  const length = end + 1
  const line = latin1(bytes, 0, length)
  if (!line.endsWith('\r\n')) return invalid('ends in a line feed alone')
  const [, family = '', source, destination, from, to, ...rest] = line.slice(0, -2).split(' ')
  if (UNKNOWN.test(line)) return { length }
  const size = FAMILIES.get(family)
  if (size === undefined) return invalid('is neither TCP4, TCP6 nor UNKNOWN')
  const client = addressV1(source, from, size)
  const server = addressV1(destination, to, size)
  if (client === undefined || server === undefined || rest.length > 0) {
    return invalid('has no two addresses and ports of its family')
  }
  return { length, source: client, destination: server }
}

function addressV1(host = '', port = '', size: number): ProxyAddress | undefined {
  const bytes = parseIpAddress(host)
  if (bytes?.length !== size || host.includes('%')) return undefined
  return PORT.test(port) && Number(port) < 65_536
    ? { host: formatIpAddress(bytes), port: Number(port) }
    : undefined
}

function parseV2(bytes: Uint8Array): ProxyHeader | 'more' | Fault {
  const command = bytes[PROXY_V2.length] ?? PROXY
  if (command !== LOCAL && command !== PROXY) return invalid('has an unknown version or command')
  const family = bytes[PROXY_V2.length + 1] ?? 0
  if (family >> 4 > 3 || (family & 15) > 2) return invalid('has an unknown family or transport')
  if (bytes.length < HEAD_V2) return 'more'
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const size = view.getUint16(HEAD_V2 - 2)
  const length = HEAD_V2 + size
  const isSilent = command === LOCAL || family >> 4 === 0 || (family & 15) === 0
  const width = ADDRESS_SIZES[family >> 4] ?? 0
  if (!isSilent && size < width) return invalid('is too short for its addresses')
  if (bytes.length < length) return 'more'
  if (isSilent) return { length }
  const at = HEAD_V2
  if (family >> 4 === 3) {
    return {
      length,
      source: unixAddress(bytes.subarray(at, at + UNIX_PATH)),
      destination: unixAddress(bytes.subarray(at + UNIX_PATH, at + width)),
    }
  }
  const half = (width - 4) / 2
  const ports = at + 2 * half
  return {
    length,
    source: { host: formatIpAddress(bytes.subarray(at, at + half)), port: view.getUint16(ports) },
    destination: {
      host: formatIpAddress(bytes.subarray(at + half, ports)),
      port: view.getUint16(ports + 2),
    },
  }
}

/** Bytes of both addresses, by family: unspecified, IPv4, IPv6, Unix. */
const ADDRESS_SIZES: readonly number[] = [0, 12, 36, 2 * UNIX_PATH]

function unixAddress(bytes: Uint8Array): ProxyAddress {
  const end = bytes.indexOf(0)
  return { path: new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end)) }
}

/**
 * The header that says between whom a connection is. Without addresses, or with such as it cannot say, it says that they
 * are unknown.
 * @throws SapwoodError `ADDRESS_INVALID` for a host that is no IP address, or a port that is none.
 * @example socket.write(proxyHeader(2, { host: '192.0.2.1', port: 5_000 }, { host: '192.0.2.9', port: 443 }))
 */
export function proxyHeader(
  version: 1 | 2,
  source?: ProxyAddress,
  destination?: ProxyAddress,
): Uint8Array {
  const ends =
    source === undefined || destination === undefined ? undefined : endsOf(source, destination)
  return version === 1 ? formatV1(ends) : formatV2(ends)
}

type Ends =
  | {
      readonly kind: 'ip'
      readonly hosts: readonly Uint8Array[]
      readonly ports: readonly number[]
    }
  | { readonly kind: 'unix'; readonly paths: readonly Uint8Array[] }

/** Both ends in one family, or undefined if there is none for them. */
function endsOf(source: ProxyAddress, destination: ProxyAddress): Ends | undefined {
  const ends = [source, destination]
  const ips = ends.flatMap((end) => ('host' in end ? [end] : []))
  if (ips.length === 2) {
    const hosts = ips.map(({ host, port }) => ipOf(host, port))
    const isIpv4 = hosts.every((host) => host.length === 4)
    return {
      kind: 'ip',
      hosts: isIpv4 ? hosts : hosts.map(mapped),
      ports: ips.map(({ port }) => port),
    }
  }
  const paths = ends.flatMap((end) => ('path' in end ? [new TextEncoder().encode(end.path)] : []))
  const isUnix = paths.length === 2 && paths.every((path) => path.length <= UNIX_PATH)
  return isUnix ? { kind: 'unix', paths } : undefined
}

/** A socket of both families calls IPv4 peers `::ffff:192.0.2.1`; here they are what they are. */
function ipOf(host: string, port: number): Uint8Array {
  const bytes = parseIpAddress(host)
  if (bytes === undefined || !Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new SapwoodError('ADDRESS_INVALID', `"${host}" port ${port} is no IP address with a port`)
  }
  return unmapped(bytes)
}

function formatV1(ends: Ends | undefined): Uint8Array {
  if (ends?.kind !== 'ip') return ascii('PROXY UNKNOWN\r\n')
  const family = ends.hosts[0]?.length === 4 ? 4 : 6
  return ascii(
    `PROXY TCP${family} ${ends.hosts.map(formatIpAddress).join(' ')} ${ends.ports.join(' ')}\r\n`,
  )
}

function formatV2(ends: Ends | undefined): Uint8Array {
  if (ends === undefined) return headV2(0, 0)
  if (ends.kind === 'unix') {
    const bytes = headV2(UNIX, 2 * UNIX_PATH)
    for (const [index, path] of ends.paths.entries()) bytes.set(path, HEAD_V2 + index * UNIX_PATH)
    return bytes
  }
  const half = ends.hosts[0]?.length ?? 4
  const bytes = headV2(half === 4 ? TCP4 : TCP6, 2 * half + 4)
  const view = new DataView(bytes.buffer)
  for (const index of [0, 1]) {
    bytes.set(ends.hosts[index] ?? [], HEAD_V2 + index * half)
    view.setUint16(HEAD_V2 + 2 * half + 2 * index, ends.ports[index] ?? 0)
  }
  return bytes
}

/** A header with room for `size` bytes of addresses. */
function headV2(family: number, size: number): Uint8Array {
  const bytes = new Uint8Array(HEAD_V2 + size)
  bytes.set(PROXY_V2)
  bytes.set([PROXY, family, size >> 8, size & 255], PROXY_V2.length)
  return bytes
}

function invalid(detail: string): Fault {
  return { code: 'PROXY_INVALID', detail: `the PROXY header ${detail}; check what stands in front` }
}
