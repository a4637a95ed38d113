/**
 * The proxies whose word counts for who called them.
 * Invariant: the address that `caller` gives was said by a listed proxy, or is that of the connection.
 */
import { BlockList, isIP, isIPv6 } from 'node:net'
import { plainAddress } from './loopback.ts'

export class Proxies {
  readonly #list: BlockList | undefined

  /** @param addresses addresses, or networks such as `10.0.0.0/8`. */
  constructor(addresses: readonly string[] = []) {
    if (addresses.length > 0) this.#list = networks(addresses)
  }

  /** Is this the address of a listed one? */
  includes(address: string): boolean {
    if (this.#list === undefined) return false
    const bare = plainAddress(address)
    const family = isIP(bare)
    // what a caller wrote there may be anything
    return family !== 0 && this.#list.check(bare, family === 6 ? 'ipv6' : 'ipv4')
  }

  /**
   * Who called: from the nearest proxy outwards, as far as each says it of one that is listed.
   * @param peer the address of the connection.
   * @param told its `X-Forwarded-For`.
   */
  caller(peer: string, told: string | undefined): string {
    if (told === undefined || this.#list === undefined) return peer
    let address = peer
    for (const next of told.split(',').reverse()) {
      if (!this.includes(address)) break
      address = withoutPort(next.trim())
    }
    return address
  }
}

function networks(addresses: readonly string[]): BlockList {
  const list = new BlockList()
  for (const address of addresses) {
    const [net, bits] = address.split('/') as [string, string?]
    const family = isIPv6(net) ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(net, family)
    else list.addSubnet(net, Number(bits), family)
  }
  return list
}

/** Some proxies tell the port, too; each connection has another, and nothing is counted by it. */
function withoutPort(told: string): string {
  const [, six, four] = /^(?:\[(.+)\](?::\d+)?|([\d.]+):\d+)$/.exec(told) ?? []
  return six ?? four ?? told
}
