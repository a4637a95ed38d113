import { EventEmitter } from 'node:events'
import { FakeClock } from '@sapwood/testkit'
import type { Service } from 'sapwood'
import { untilStopped } from 'sapwood'
import { test } from 'tap'

/** A service that notes what happens to it. */
class Recorded implements Service {
  readonly events: string[] = []
  drained: () => void = () => undefined
  drain = (): Promise<void> => {
    this.events.push('drain')
    return new Promise((resolve) => {
      this.drained = resolve
    })
  }
  close = async (): Promise<void> => {
    this.events.push('close')
  }
}

/** Lets everything that was promised happen. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function running(service: Service, start = async (): Promise<Service> => service) {
  const clock = new FakeClock()
  const signals = new EventEmitter()
  const told: string[] = []
  const ended = untilStopped(
    start,
    {
      on: (signal, listener) => signals.on(signal, listener),
      off: (signal, listener) => signals.off(signal, listener),
    },
    {
      limit: 10_000,
      clock,
      onStop: (signal) => told.push(signal),
      onFault: (thrown) => told.push(String(thrown)),
    },
  ).then(() => told.push('ended'))
  return { clock, signals, told, ended }
}

test('a signal drains, then closes, and nothing is left behind', async (t) => {
  const service = new Recorded()
  const { clock, signals, told } = running(service)
  await settled()
  t.strictSame(service.events, [])
  signals.emit('SIGTERM')
  await settled()
  t.strictSame(service.events, ['drain'])
  service.drained()
  await settled()
  t.strictSame(service.events, ['drain', 'close'])
  t.strictSame(told, ['SIGTERM', 'ended'])
  t.equal(clock.pending, 0)
  t.strictSame(signals.eventNames(), [])
})

test('a drain that does not end is cut off at the limit', async (t) => {
  const service = new Recorded()
  const { clock, signals, told } = running(service)
  signals.emit('SIGINT')
  await settled()
  clock.advance(9_999)
  await settled()
  t.strictSame(service.events, ['drain'])
  clock.advance(1)
  await settled()
  t.strictSame(service.events, ['drain', 'close'])
  t.strictSame(told, ['SIGINT', 'ended'])
  t.equal(clock.pending, 0)
})

test('a second signal ends the drain at once', async (t) => {
  const service = new Recorded()
  const { clock, signals, told } = running(service)
  signals.emit('SIGTERM')
  await settled()
  clock.advance(500)
  signals.emit('SIGINT')
  await settled()
  t.strictSame(service.events, ['drain', 'close'])
  t.strictSame(told, ['SIGTERM', 'ended'])
})

test('one key press that comes twice, from the terminal and from npm, is one signal', async (t) => {
  const service = new Recorded()
  const { clock, signals } = running(service)
  signals.emit('SIGINT')
  clock.advance(20)
  signals.emit('SIGINT')
  await settled()
  t.strictSame(service.events, ['drain'])
})

test('a signal that comes while it starts is not lost', async (t) => {
  const service = new Recorded()
  let ready: (service: Service) => void = () => undefined
  const { signals, told } = running(
    service,
    () =>
      new Promise((resolve) => {
        ready = resolve
      }),
  )
  signals.emit('SIGTERM')
  await settled()
  t.strictSame(told, [])
  ready(service)
  await settled()
  t.strictSame(service.events, ['drain'])
})

test('a service that fails to stop is told of, and ended all the same', async (t) => {
  const { clock, signals, told } = running({
    drain: () => Promise.reject(new Error('no drain')),
    close: () => new Promise(() => undefined),
  })
  signals.emit('SIGTERM')
  await settled()
  t.strictSame(told, ['SIGTERM', 'Error: no drain'])
  clock.advance(1_000)
  await settled()
  t.strictSame(told, ['SIGTERM', 'Error: no drain', 'ended'])
})

test('what the start throws is thrown on, and no listener stays', async (t) => {
  const { signals, ended } = running(new Recorded(), () => Promise.reject(new Error('no port')))
  await t.rejects(ended, { message: 'no port' })
  t.strictSame(signals.eventNames(), [])
})
