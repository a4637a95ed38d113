/**
 * Who speaks over one UDP socket, by address, and who of them makes room. Anybody can send from any address: where
 * there are as many as may be, a stranger who has been silent goes, or the oldest of the same host, so that a flood
 * costs the flooder (W6 of Tendril).
 * Invariant: finding one to make room costs constant time on average; those that this end dialled stay.
 */
import type { DatagramLink } from './datagram-link.ts'
import { EVICTED } from './faults.ts'

export class DatagramTable {
  readonly #links = new Map<string, DatagramLink>()
  /** Those that came by themselves, in the order in which they are looked at for one to push out. */
  readonly #strangers = new Set<DatagramLink>()
  /** The same of each host, the oldest first. */
  readonly #hosts = new Map<string, Set<DatagramLink>>()

  find(host: string, port: number): DatagramLink | undefined {
    return this.#links.get(`${port} ${host}`)
  }

  add(link: DatagramLink): void {
    const { host, port } = link.remote
    this.#links.set(`${port} ${host}`, link)
    if (link.dialled) return
    this.#strangers.add(link)
    const same = this.#hosts.get(host)
    if (same === undefined) this.#hosts.set(host, new Set([link]))
    else same.add(link)
  }

  remove(link: DatagramLink): void {
    const { host, port } = link.remote
    const key = `${port} ${host}`
    if (this.#links.get(key) === link) this.#links.delete(key)
    this.#strangers.delete(link)
    const same = this.#hosts.get(host)
    same?.delete(link)
    if (same?.size === 0) this.#hosts.delete(host)
  }

  /** Pushes out the oldest stranger of a host, if there is one. */
  evictOldest(host: string): void {
    const [oldest] = this.#hosts.get(host) ?? []
    oldest?.evict(EVICTED)
  }

  /** Pushes out a stranger who was silent since the last look; who was not has a second chance, behind all others. */
  evictSilent(): void {
    const strangers = this.#strangers
    for (const link of strangers) {
      if (!link.lively) return link.evict(EVICTED)
      link.lively = false
      strangers.delete(link)
      strangers.add(link)
    }
  }
}
