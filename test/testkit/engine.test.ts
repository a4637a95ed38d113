import { MemoryEngine } from '@sapwood/hub'
import { engineConformance, FakeClock } from '@sapwood/testkit'
import { test } from 'tap'

test('the memory engine keeps the contract of engines', async (t) => {
  let epochs = 0
  engineConformance(t, 'memory', (limits) => {
    const clock = new FakeClock()
    const epoch = (++epochs).toString(16).padStart(16, '0')
    return {
      engine: new MemoryEngine(clock, { epoch, ...limits }),
      now: () => clock.now(),
      advance: (ms) => clock.advance(ms),
    }
  })
})
