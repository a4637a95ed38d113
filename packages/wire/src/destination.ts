/**
 * A place to dial, as a list of allowed ones names it and as a URL asks for it: `host:port` with one host and one port.
 * Invariant: two texts name the same destination only if they format alike; nothing is looked up or guessed.
 */

export interface Destination {
  /** A name or an IPv4 address in lower case, or an IPv6 address without brackets. */
  readonly host: string
  /** 1 to 65535. */
  readonly port: number
}

const FORM = /^(?:\[([0-9a-f:.]*:[0-9a-f:.]*)\]|([a-z0-9._-]+)):(\d{1,5})$/
const HIGHEST_PORT = 65_535

/** @example parseDestination('[::1]:80') // { host: '::1', port: 80 } */
export function parseDestination(text: string): Destination | undefined {
  const [, six, name, digits] = FORM.exec(text.toLowerCase()) ?? []
  const host = six ?? name
  const port = Number(digits)
  if (host === undefined || port < 1 || port > HIGHEST_PORT) return undefined
  return { host, port }
}

/** @example formatDestination({ host: '::1', port: 80 }) // '[::1]:80' */
export function formatDestination({ host, port }: Destination): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/**
 * What is wrong with a destination in a list, as the rest of a sentence; undefined if nothing is. A wildcard is: a list
 * of what may be dialled is one only if it says what (OR-08).
 * @example destinationFault('127.0.0.1:6667') // undefined
 */
export function destinationFault(text: string): string | undefined {
  if (text.includes('*')) return 'is a wildcard; list each destination as HOST:PORT'
  if (parseDestination(text) !== undefined) return undefined
  return 'is no destination; write it like 127.0.0.1:6667'
}
