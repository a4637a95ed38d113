import assert from 'node:assert/strict'
import type { Component, Message } from '@sapwood/core'
import {
  ANYONE,
  CancelSignal,
  Code,
  Controller,
  Inbox,
  inboxOwner,
  inboxPattern,
  jsonMessage,
  Router,
  SYSTEM,
  Wheel,
} from '@sapwood/core'
import type { Received } from '@sapwood/testkit'
import { FakeClock, RecordingComponent, randomLetters } from '@sapwood/testkit'
import fc from 'fast-check'
import { test } from 'tap'

function setUp() {
  const clock = new FakeClock()
  const target = new RecordingComponent('target')
  const wheel = new Wheel(clock)
  const inbox = new Inbox(target, wheel, SYSTEM)
  inbox.id = 'inbox-1'
  const ask = (answered: (answer: Message) => void, timeout = 1_000): (() => void) =>
    inbox.ask({ path: '@name/noun', message: jsonMessage('?'), timeout }, answered)
  const asked = (index = -1): Message => target.received.at(index)?.message as Message
  const answer = (question: Message, value: unknown): void =>
    inbox.update(target, question.meta.reply ?? '', jsonMessage(value))
  return { clock, wheel, target, inbox, ask, asked, answer }
}

test('a question is an update with a reply path, a deadline and a cancel signal', async (t) => {
  const { clock, target, inbox } = setUp()
  clock.advance(500)
  const message = jsonMessage({ a: 1 }, { verb: 'GET', args: ['x'] })
  inbox.ask({ path: '@name/noun', message, timeout: 250 }, () => undefined)
  t.equal(target.received.length, 1)
  const { sender, path, message: question } = target.received[0] as Received
  t.equal(sender, inbox)
  t.equal(path, '@name/noun')
  t.equal(question.body, message.body)
  t.match(question.meta, { verb: 'GET', args: ['x'], deadline: 750 })
  t.ok(question.meta.cancel instanceof CancelSignal)
  t.equal(inboxOwner(question.meta.reply ?? ''), 'inbox-1')
  const guest = new RecordingComponent('guest', ANYONE)
  inbox.ask({ path: '@n', message, timeout: 1, sender: guest }, () => undefined)
  t.equal(target.received[1]?.sender, guest, 'in the name of another where there is one')
})

test('the answer reaches its asker, once', async (t) => {
  const { clock, wheel, inbox, ask, asked, answer } = setUp()
  const got: [who: string, answer: unknown][] = []
  ask((what) => got.push(['one', what.body]))
  ask((what) => got.push(['two', what.body]))
  t.equal(inbox.open, 2)
  t.not(asked(0).meta.reply, asked(1).meta.reply)
  answer(asked(1), 2)
  answer(asked(1), 'again')
  answer(asked(0), 1)
  t.same(got, [
    ['two', '2'],
    ['one', '1'],
  ])
  t.equal(inbox.open, 0)
  t.equal(wheel.pending, 0, 'nothing waits for its time limit any more')
  clock.advance(10_000)
  t.equal(got.length, 2)
  t.notOk(asked(0).meta.cancel?.cancelled)
})

test('an answer within the question itself is taken', async (t) => {
  const clock = new FakeClock()
  const got: unknown[] = []
  const inbox: Inbox = new Inbox(
    { update: (_sender, _path, { meta }) => inbox.update(inbox, meta.reply ?? '', jsonMessage(7)) },
    new Wheel(clock),
    SYSTEM,
  )
  const undo = inbox.ask({ path: '@n', message: jsonMessage(1), timeout: 9 }, (a) =>
    got.push(a.body),
  )
  undo()
  t.same(got, ['7'])
  t.equal(inbox.open, 0)
})

test('no answer in time is code 253, and the answerer is told to stop', async (t) => {
  const { clock, inbox, ask, asked, answer } = setUp()
  const got: Message[] = []
  ask((what) => got.push(what), 1_000)
  clock.advance(999)
  t.same(got, [])
  clock.advance(21)
  t.match(got[0]?.meta, { code: Code.timeout, status: 504 })
  t.match(JSON.parse(String(got[0]?.body)), { code: 'ANSWER_TIMEOUT', status: 504 })
  t.ok(asked().meta.cancel?.cancelled)
  answer(asked(), 'late')
  t.equal(got.length, 1)
  t.equal(inbox.open, 0)
})

test('a late answer does not end the question that took the slot over', async (t) => {
  const { clock, ask, asked, answer } = setUp()
  const got: unknown[] = []
  ask(() => undefined, 100)
  clock.advance(200)
  ask((what) => got.push(what.body))
  answer(asked(0), 'late')
  t.same(got, [])
  answer(asked(1), 'right')
  t.same(got, ['"right"'])
})

test('giving up tells the answerer and nobody else', async (t) => {
  const { clock, inbox, ask, asked, answer } = setUp()
  const undo = ask(() => t.fail('answered after giving up'))
  let told = 0
  asked().meta.cancel?.onCancel(() => told++)
  undo()
  undo()
  t.equal(told, 1)
  t.equal(inbox.open, 0)
  answer(asked(), 'late')
  clock.advance(10_000)
})

test('a closed inbox ends every question with code 254, new ones too', async (t) => {
  const { clock, inbox, ask, asked } = setUp()
  const codes: (number | undefined)[] = []
  ask(({ meta }) => {
    codes.push(meta.code)
    ask((again) => codes.push(again.meta.code))
  })
  ask(({ meta }) => codes.push(meta.code))
  inbox.close()
  t.same(codes, [Code.lost, Code.lost, Code.lost])
  t.ok(asked(0).meta.cancel?.cancelled)
  t.equal(inbox.open, 0)
  inbox.close()
  clock.advance(10_000)
  t.equal(codes.length, 3)
  t.equal(clock.pending, 0)
})

test('at the close an asker that throws hinders no other', async (t) => {
  const { inbox, ask } = setUp()
  let ended = 0
  ask(() => {
    throw new Error('mistake')
  })
  ask(() => ended++)
  t.throws(() => inbox.close(), { message: 'mistake' })
  t.equal(ended, 1)
})

test('what is no answer to anything is ignored', async (t) => {
  const { inbox, target, ask } = setUp()
  ask(() => t.fail('answered'))
  for (const path of [
    '::inbox/inbox-1/0',
    '::inbox/inbox-1/0.9',
    '::inbox/inbox-1',
    '::inbox/x/0.1',
    '',
  ]) {
    inbox.update(target, path, jsonMessage(1))
  }
  t.equal(inbox.open, 1)
})

test('the owner of an inbox stands in its paths and patterns', async (t) => {
  t.equal(inboxPattern('hub-a-1'), '::inbox/hub-a-1/**')
  for (const path of ['::inbox/hub-a-1/3.7', '::inbox/hub-a-1/**', '::inbox/hub-a-1']) {
    t.equal(inboxOwner(path), 'hub-a-1')
  }
  t.equal(inboxOwner('::inboxes/hub-a-1'), undefined)
  t.equal(inboxOwner('inbox/hub-a-1'), undefined)
  t.equal(inboxOwner('::inbox/*/1'), '*', 'a wildcard is no id of anybody')
})

test('question and answer travel through controller and dispatcher', async (t) => {
  const clock = new FakeClock()
  const controller = new Controller('hub', { random: randomLetters(3), defer: (run) => run() })
  const router = new Router({
    find: (id) => controller.get(id),
    direct: (sender, path, message) => {
      const pool = controller.named(path.slice(1, path.indexOf('/'))) ?? []
      for (const component of pool) component.update(sender, path, message)
      return pool === undefined ? 0 : 1
    },
  })
  controller.register(router)
  controller.delegate(router)
  const clocks: Component = {
    id: 'clock',
    principal: SYSTEM,
    update: (_sender, _path, { meta }) =>
      controller.update(clocks, meta.reply ?? '', jsonMessage('noon', { code: Code.ok })),
  }
  controller.name(clocks, 'clock')
  const inbox = new Inbox(controller, new Wheel(clock), SYSTEM)
  controller.register(inbox)
  router.dispatcher.subscribe(inbox, inboxPattern(inbox.id))
  const got: Message[] = []
  inbox.ask({ path: '@clock/time', message: jsonMessage(null), timeout: 100 }, (a) => got.push(a))
  t.match(got, [{ body: '"noon"', meta: { code: 0 } }])
  t.equal(inbox.open, 0)
})

const step = fc.oneof(
  fc.record({ kind: fc.constant('ask'), n: fc.integer({ min: 1, max: 300 }) }),
  fc.record({ kind: fc.constantFrom('answer', 'cancel'), n: fc.nat({ max: 20 }) }),
  fc.record({ kind: fc.constant('advance'), n: fc.nat({ max: 200 }) }),
)

test('every question ends exactly once, whatever happens in whatever order', async () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.boolean(), (steps, close) => {
      const { clock, inbox, ask, asked, answer } = setUp()
      const questions: { readonly question: Message; readonly undo: () => void; ends: string[] }[] =
        []
      const endOf = ({ meta, body }: Message): string =>
        meta.code === undefined ? `${body}` : `${meta.code}`
      for (const { kind, n } of steps) {
        const chosen = questions[n]
        if (kind === 'ask') {
          const ends: string[] = []
          const undo = ask((what) => ends.push(endOf(what)), n)
          questions.push({ question: asked(), undo, ends })
        } else if (kind === 'advance') clock.advance(n)
        else if (chosen !== undefined) {
          const before = chosen.ends.length
          const gone = chosen.question.meta.cancel?.cancelled
          if (kind === 'answer') answer(chosen.question, questions.indexOf(chosen))
          else {
            chosen.undo()
            if (before === 0 && !gone) chosen.ends.push('given up')
          }
          if (gone) assert.equal(chosen.ends.length, before)
        }
        assert.equal(inbox.open, questions.filter(({ ends }) => ends.length === 0).length)
      }
      if (close) inbox.close()
      else clock.advance(1_000)
      for (const [i, { question, ends }] of questions.entries()) {
        assert.equal(ends.length, 1, `question ${i} ended ${ends.length} times`)
        assert.ok([String(i), 'given up', '253', '254'].includes(ends[0] ?? ''), ends[0])
        assert.equal(question.meta.cancel?.cancelled, ends[0] !== String(i))
      }
      assert.equal(inbox.open, 0)
      assert.ok(clock.pending <= 1, 'at most the tick of the wheel remains')
    }),
    { numRuns: 500 },
  )
})

test('a cancel signal fires once, late listeners at once, undone ones never', async (t) => {
  const signal = new CancelSignal()
  const told: string[] = []
  signal.onCancel(() => told.push('first'))
  const undo = signal.onCancel(() => told.push('undone'))
  undo()
  t.notOk(signal.cancelled)
  signal.cancel()
  signal.cancel()
  undo()
  t.ok(signal.cancelled)
  signal.onCancel(() => told.push('late'))
  t.same(told, ['first', 'late'])
})

test('a listener of a cancel signal that throws hinders no other', async (t) => {
  const signal = new CancelSignal()
  let told = 0
  signal.onCancel(() => {
    throw new Error('mistake')
  })
  signal.onCancel(() => told++)
  t.throws(() => signal.cancel(), { message: 'mistake' })
  t.equal(told, 1)
})

test('a listener that is undone while the signal fires is not told', async (t) => {
  const signal = new CancelSignal()
  let undo: () => void = () => undefined
  signal.onCancel(() => undo())
  undo = signal.onCancel(() => t.fail('told after its undo'))
  signal.cancel()
})
