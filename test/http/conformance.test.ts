/**
 * The contract of transports, held by WebSocket, SSE, stream and long poll over real sockets, and by all of them in
 * turn.
 */
import { randomNumbers, transportConformance } from '@sapwood/testkit'
import { test } from 'tap'
import type { TransportKind } from './transport-cases.ts'
import { transportCases } from './transport-cases.ts'

const KINDS: readonly TransportKind[] = ['ws', 'sse', 'stream', 'poll']

for (const kind of KINDS) {
  test(`${kind} keeps the contract of transports`, async (t) => {
    const polls = kind === 'poll'
    transportConformance(
      t,
      kind,
      transportCases(() => kind),
      { scripts: 15, polls },
    )
  })
}

test('a session that moves between them loses nothing and repeats nothing (OR-06)', async (t) => {
  const random = randomNumbers(1)
  const kind = (): TransportKind => KINDS[Math.floor(random() * KINDS.length)] as TransportKind
  transportConformance(t, 'any', transportCases(kind), { scripts: 60, polls: true })
})
