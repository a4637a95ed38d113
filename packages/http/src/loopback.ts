/**
 * Names and addresses of this machine, as requests and sockets say them.
 * Invariant: what is no name or address of the loopback network is not of this machine, whatever it resolves to.
 */

/** Is this host name, without a port, one of this machine's loopback names? */
export function isLoopbackName(name: string): boolean {
  return (
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    name === '[::1]' ||
    name === '::1' ||
    /^127(\.\d{1,3}){3}$/.test(name)
  )
}

/** Is this the address of a peer on this machine? */
export function isLoopbackAddress(address: string | undefined): boolean {
  if (address === undefined) return false
  const plain = plainAddress(address)
  return plain === '::1' || plain.startsWith('127.')
}

/** The name in a `Host` header, without its port, in lower case. */
export function hostName(host: string): string {
  const end = host.startsWith('[') ? host.indexOf(']') + 1 : host.indexOf(':')
  return (end > 0 ? host.slice(0, end) : host).toLowerCase()
}

/** An IPv4 address as such, also where a socket of both families writes it as an IPv6 one. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address
}
