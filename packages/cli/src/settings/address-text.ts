/** Addresses as operators write them. Told by their form: the code that opens them loads only where something starts. */
import { isIP } from 'node:net'

const UNIX = 'unix:'

/**
 * Is it `HOST:PORT`, `[IPv6]:PORT` or `unix:PATH`?
 * @example isAddress('[::1]:8007') // true
 */
export function isAddress(text: string): boolean {
  if (text.startsWith(UNIX)) return text.length > UNIX.length
  const [, six, digits] = /^(?:\[([^[\]]+)\]|[^:[\]\s]*):(\d{1,5})$/.exec(text) ?? []
  return Number(digits) <= 65535 && (six === undefined || isIP(six) === 6)
}

/** The host of `HOST:PORT`, without brackets; undefined for a path, which is of this machine only. */
export function hostOfAddress(text: string): string | undefined {
  if (text.startsWith(UNIX)) return undefined
  return text.slice(0, text.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1')
}
