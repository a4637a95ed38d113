import { constants, PerformanceObserver } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import { countChunk } from '@sapwood/net'
import t from 'tap'

/** What Node reads at once, and how much is read here. */
const CHUNK = 65_536
const BYTES = 512 * 1024 * 1024

t.test(
  'what passes in chunks is freed young, and brings about no marking of the heap',
  async (t) => {
    const kinds: number[] = []
    const observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as (PerformanceEntry & { detail: { kind: number } })[])
        kinds.push(entry.detail.kind)
    })
    observer.observe({ entryTypes: ['gc'] })
    let most = 0
    for (let read = 0; read < BYTES; read += CHUNK) {
      const chunk = Buffer.allocUnsafeSlow(CHUNK)
      countChunk(chunk.length)
      await turn()
      most = Math.max(most, process.memoryUsage().arrayBuffers)
    }
    await turn()
    observer.disconnect()
    const scavenges = kinds.filter((kind) => kind === constants.NODE_PERFORMANCE_GC_MINOR).length
    const markings = kinds.filter((kind) => kind === constants.NODE_PERFORMANCE_GC_MAJOR).length
    t.ok(scavenges >= 100, `${scavenges} scavenges, one each 4 MiB`)
    t.ok(markings <= 2, `${markings} markings`)
    t.ok(most < 20_000_000, `at most ${most} bytes at once`)
    t.equal((globalThis as { gc?: unknown }).gc, undefined, 'nobody else is given the collector')
  },
)
