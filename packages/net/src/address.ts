/**
 * Where an end of a connection is: a host and a port, or a path (of a Unix socket, or a name in memory).
 * Invariant: `parseAddress(formatAddress(address))` is the same address.
 */
import { isIP } from 'node:net'
import { SapwoodError } from '@sapwood/core'

export interface HostAddress {
  /** An IPv4 or IPv6 address without brackets, or a name where one is dialled or listened on. */
  readonly host: string
  /** 0 to 65535; 0 takes a free one. */
  readonly port: number
}

export interface PathAddress {
  readonly path: string
}

export type Address = HostAddress | PathAddress

const PATH = 'unix:'
const HOST_AND_PORT = /^(?:\[([^[\]]+)\]|([^:[\]]*)):(\d{1,5})$/
const HIGHEST_PORT = 65_535

/** Is it a path, not a host and a port? */
export function isPath(address: Address): address is PathAddress {
  return 'path' in address
}

/** `127.0.0.1:80`, `[::1]:80` or `unix:/run/x.sock`. */
export function formatAddress(address: Address): string {
  if (isPath(address)) return PATH + address.path
  const { host, port } = address
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/**
 * Reads what `formatAddress` writes (TN-25). An empty host is every IPv4 address; a name is left as it is, and looked
 * up where it is used.
 * @throws SapwoodError ADDRESS_INVALID
 * @example parseAddress('[::1]:8787') // { host: '::1', port: 8787 }
 */
export function parseAddress(text: string): Address {
  if (text.startsWith(PATH)) return checkAddress({ path: text.slice(PATH.length) })
  const [, six, host = six, digits] = HOST_AND_PORT.exec(text) ?? []
  if (digits === undefined) {
    throw invalid(`"${text}" is no address; write HOST:PORT, [IPv6]:PORT or unix:PATH`)
  }
  if (six !== undefined && isIP(six) !== 6) throw invalid(`"${six}" is no IPv6 address`)
  return checkAddress({ host: host === undefined || host === '' ? '0.0.0.0' : host, port: +digits })
}

/**
 * Gives the address back if there can be such a one.
 * @throws SapwoodError ADDRESS_INVALID
 */
export function checkAddress<Checked extends Address>(address: Checked): Checked {
  if (isPath(address)) {
    if (address.path === '') throw invalid('the path of a Unix socket is empty')
    return address
  }
  const { host, port } = address
  if (!Number.isInteger(port) || port < 0 || port > HIGHEST_PORT) {
    throw invalid(`port ${port} of "${host}" is none; ports are 0 to ${HIGHEST_PORT}`)
  }
  const looksNumeric = /^[\d.]+$/.test(host) || host.includes(':')
  if (host === '' || (looksNumeric && isIP(host) === 0)) {
    throw invalid(`"${host}" is no IPv4 or IPv6 address and no name`)
  }
  return address
}

/** 4 or 6 for a numeric host, 0 for a name, `path` for a path. */
export function familyOf(address: Address): 0 | 4 | 6 | 'path' {
  return isPath(address) ? 'path' : (isIP(address.host) as 0 | 4 | 6)
}

/** What limits per address count by: the host, or one and the same for all paths. */
export function sourceOf(address: Address): string {
  return isPath(address) ? '' : address.host
}

function invalid(detail: string): SapwoodError {
  return new SapwoodError('ADDRESS_INVALID', detail)
}
