import { memoryTransport, transportConformance } from '@sapwood/testkit'
import { test } from 'tap'

test('the in-memory transport keeps the contract of transports', async (t) => {
  transportConformance(t, 'memory', (options) => memoryTransport(options))
})

test('so it does with a pipe that holds next to nothing', async (t) => {
  transportConformance(t, 'narrow memory', (options) => memoryTransport(options, { capacity: 700 }))
})
