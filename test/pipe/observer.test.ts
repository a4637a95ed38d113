/** Programs that hear what goes on with links: a mistake of theirs is told, and hinders nothing (RP-30, W8). */
import type { Fault } from '@sapwood/core'
import { countingObserver, type PeerObserver, PipeCounters, pipeServer } from '@sapwood/pipe'
import { eventually, FakeClock } from '@sapwood/testkit'
import { test } from 'tap'
import { connected, Log, World } from './peer-world.ts'

const CALLS = [
  'listening',
  'connected',
  'connecting',
  'failed',
  'lost',
  'added',
  'removed',
  'started',
  'stopped',
  'resumed',
  'refused',
] as const

/** Throws in each call; what it is told of that is kept. */
function throwing(): PeerObserver & { readonly faults: Fault[] } {
  const faults: Fault[] = []
  const calls = CALLS.map((name) => [name, () => fail(name)])
  return { ...Object.fromEntries(calls), faults, fault: (fault: Fault) => void faults.push(fault) }
}

function fail(name: string): never {
  throw new Error(`of the program, in ${name}`)
}

test('an observer that throws in every call keeps no link from beginning or ending, and is told of it', async (t) => {
  const world = await World.make(t, 'alpha', 'beta')
  const [ofServer, ofAlpha, ofBeta] = [throwing(), throwing(), throwing()]
  const server = await world.server({ observer: ofServer })
  const { port } = server.address
  const relay = await world.relay(server)
  const alpha = await world.client('alpha', relay.port, { observer: ofAlpha })
  const beta = await world.client('beta', port, { observer: ofBeta })
  await connected(alpha)
  await connected(beta)
  relay.cut()
  await eventually('the cut is seen', () =>
    ofAlpha.faults.some(({ detail }) => /lost/.test(detail)),
  )
  t.match(await alpha.ask('@server/x'), { code: 0 })
  t.match(await server.ask('@beta/x'), { code: 0 })
  await server.close()
  await eventually('both are sent away', () => !alpha.connected && !beta.connected)
  await alpha.close()
  await beta.close()
  for (const { faults } of [ofServer, ofAlpha, ofBeta]) {
    t.match(new Set(faults.map(({ code }) => code)), new Set(['OBSERVER_THREW']))
  }
  const told = ofServer.faults.map(({ detail }) => detail)
  for (const name of ['listening', 'started', 'added', 'resumed', 'removed', 'stopped']) {
    t.ok(told.includes(`the observer threw in ${name}: of the program, in ${name}`), name)
  }
  t.equal(ofServer.faults.filter(({ detail }) => /in stopped/.test(detail)).length, 2)
})

test('an observer whose promise is rejected, and one that throws at its own fault, end no process', async (t) => {
  const world = await World.make(t, 'alpha')
  const warnings: string[] = []
  const warned = ({ message }: Error): void => void warnings.push(message)
  process.on('warning', warned)
  t.teardown(() => process.off('warning', warned))
  const observer = {
    started: () => Promise.reject(new Error('later')),
    fault: () => fail('fault'),
  }
  const server = await world.server({ observer })
  const alpha = await world.client('alpha', server.address.port)
  await connected(alpha)
  await eventually('it is told in the end', () => warnings.length > 0)
  t.same(warnings, ['OBSERVER_THREW: the observer threw in started: later'])
})

test('a listener for states that throws keeps the hooks and the links going', async (t) => {
  const world = await World.make(t, 'alpha')
  const log = new Log()
  const stopped: string[] = []
  const server = await world.server({
    observer: log,
    states: { update: () => fail('update') },
    hooks: { stop: (peer) => stopped.push(peer) },
  })
  const alpha = await world.client('alpha', server.address.port)
  await connected(alpha)
  await eventually('it is there', () => log.has('added alpha'))
  await server.close()
  t.same(stopped, ['alpha'])
  t.ok(log.has('stopped alpha SHUTDOWN'), log.said.join())
  t.match(log.faults[0], { code: 'HOOK_THREW', detail: /idle/ })
})

test('an observer may be an object of a class: each of its calls is heard', async (t) => {
  class Recorder implements PeerObserver {
    readonly said: string[] = []
    connecting(): void {
      this.said.push('connecting')
    }
    connected(): void {
      this.said.push('connected')
    }
  }
  const world = await World.make(t, 'alpha')
  const server = await world.server()
  const observer = new Recorder()
  const alpha = await world.client('alpha', server.address.port, { observer })
  await connected(alpha)
  t.same(observer.said, ['connecting', 'connected'])
})

test('what one observer of several throws is counted, and keeps nothing from those behind it', (t) => {
  const [first, second] = [throwing(), new Log()]
  const counters = new PipeCounters()
  const observer = countingObserver(counters, new FakeClock(), [first, second])
  const fault = { code: 'LINK_LOST', detail: 'gone' }
  observer.added?.('alpha', ['alpha'])
  observer.removed?.('alpha', fault)
  observer.stopped?.('alpha', fault)
  t.same(second.said, ['added alpha', 'removed alpha', 'stopped alpha LINK_LOST'])
  t.same([first.faults.length, second.faults.length], [3, 3])
  t.equal(counters.faults.get('OBSERVER_THREW'), 3)
  t.end()
})

test('an observer hears why a stream broke off that a handler answers with; the asker does not', async (t) => {
  const world = await World.make(t, 'alpha')
  const log = new Log()
  const get_breaks = async function* (): AsyncGenerator<string> {
    yield 'begin'
    throw new Error('the disk is gone')
  }
  const server = await pipeServer({
    ...world.identity('server'),
    handlers: { get_breaks },
    observer: log,
  })
  t.teardown(() => server.close())
  const alpha = await world.client('alpha', server.address.port)
  const thrown = await alpha.ask('@server/breaks').catch((thrown) => thrown)
  t.match(thrown, { code: 'ANSWER_BROKEN' })
  t.notMatch(thrown.message, /disk/)
  const detail = 'the stream that GET breaks answers alpha with broke off: the disk is gone'
  t.same(log.faults, [{ code: 'ANSWER_BROKEN', detail }])
})
