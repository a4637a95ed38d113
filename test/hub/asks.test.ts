/** Questions: who is asked, who answers, and that every question ends, once. */
import { Readable } from 'node:stream'
import type { Component, Message, Meta, Principal, Update } from '@sapwood/core'
import {
  ANYONE,
  bodyValue,
  CancelSignal,
  Code,
  jsonMessage,
  message,
  NO_ID,
  SYSTEM,
} from '@sapwood/core'
import type { HubOptions } from '@sapwood/hub'
import { CANCEL, ERROR, HELLO, REPLY } from '@sapwood/hub'
import { test } from 'tap'
import type { Client } from './hub-under-test.ts'
import { HubUnderTest, KEY } from './hub-under-test.ts'

const ANN: Principal = { id: 'user:ann', trusted: false }
const BOB: Principal = { id: 'user:bob', trusted: false }
const NAMES = ['fileserver', 'local', 'one', 'other', 'shop', 'worker']
const OPEN: HubOptions = {
  rules: NAMES.map((name) => ({ who: '*', may: ['ask', 'answer'], path: `@${name}/**` })),
}

/** Asks on behalf of the hub, and collects the answers. */
function ask(it: HubUnderTest, path: string, meta: Meta = {}, timeout = 30_000) {
  const answers: Message[] = []
  const question = { path, message: jsonMessage('?', meta), timeout }
  const cancel = it.hub.ask(question, (answer) => answers.push(answer))
  return { answers, cancel, codes: () => answers.map(({ meta }) => [meta.code, meta.status]) }
}

function named(it: HubUnderTest, name: string, principal: Principal = ANYONE): Client {
  const client = it.client({ principal })
  it.hub.claim(client.session, name)
  client.take()
  return client
}

/** The questions among what arrives. */
function questionsOf(client: Client): Update[] {
  return client.take().filter(({ path }) => path.startsWith('@'))
}

function answer(
  client: Client,
  question: Update | undefined,
  value: unknown,
  meta: Meta = {},
): void {
  client.say(REPLY, value, { code: 0, reply: question?.meta.reply ?? '', ...meta })
}

test('a client is asked by its name or its id, and its answer finds the asker', async (t) => {
  const it = new HubUnderTest(OPEN)
  const client = named(it, 'fileserver')
  for (const target of ['fileserver', client.session.id]) {
    const asked = ask(it, `@${target}/time/utc`, {
      verb: 'GET',
      args: ['hello ', ''],
      query: 'x=1',
      wait: 5,
    })
    const [question] = questionsOf(client)
    t.equal(question?.path, `@${target}/time/utc`)
    t.match(question?.meta, { verb: 'GET', args: ['hello ', ''], query: 'x=1', deadline: 30_000 })
    t.equal(question?.meta.wait, undefined)
    t.ok((question?.meta.reply?.length ?? 99) <= 64)
    answer(client, question, { now: 1 }, { code: 7, status: 201 })
    t.same(asked.answers.map(bodyValue), [{ now: 1 }])
    t.same(asked.codes(), [[7, 201]])
  }
  t.equal(client.session.openQuestions, 0)
  t.equal(it.hub.counters.questions, 2)
  await it.hub.close()
})

test('a question is answered once, and by who was asked', async (t) => {
  const it = new HubUnderTest(OPEN)
  const [one, other] = [named(it, 'one'), named(it, 'other')]
  const asked = ask(it, '@one/a')
  const [question] = questionsOf(one)
  answer(other, question, 'stolen')
  answer(one, question, 'first')
  answer(one, question, 'second')
  one.say(REPLY, 'nothing was asked', { reply: 'q99' })
  one.say(REPLY, 'no reply')
  t.same(asked.answers.map(bodyValue), ['first'])
  const codes = (client: Client) =>
    client.values(ERROR).map((fault) => (fault as { code: string }).code)
  t.same(codes(other), ['REPLY_UNKNOWN'])
  t.same(codes(one), ['REPLY_UNKNOWN', 'REPLY_UNKNOWN', 'REPLY_UNKNOWN'])
  const again = ask(it, '@one/a')
  const [next] = questionsOf(one)
  answer(one, next, 'wrong', { code: 256 })
  t.same(codes(one), ['CODE_INVALID'])
  t.same(again.answers, [])
  await it.hub.close()
})

test('of a pool the one with the fewest open questions is asked, and who is away is not', async (t) => {
  const it = new HubUnderTest(OPEN)
  const pool = [named(it, 'worker'), named(it, 'worker'), named(it, 'worker')]
  for (let i = 0; i < 9; i++) ask(it, '@worker/job')
  t.same(
    pool.map(({ session }) => session.openQuestions),
    [3, 3, 3],
  )
  const [busy, quick, away] = pool as [Client, Client, Client]
  for (const question of questionsOf(quick)) answer(quick, question, 1)
  away.pipe.cut()
  t.equal(busy.session.openQuestions, 3)
  for (let i = 0; i < 4; i++) ask(it, '@worker/job')
  t.same([busy.session.openQuestions, quick.session.openQuestions], [4, 3])
  t.equal(away.session.openQuestions, 3)
  await it.hub.close()
})

test('a name belongs to one principal, and says so to any other', async (t) => {
  const it = new HubUnderTest(OPEN)
  const first = named(it, 'shop', ANN)
  const same = named(it, 'shop', ANN)
  t.equal(same.session.name, 'shop')
  const other = it.client({ principal: BOB })
  other.take()
  t.notOk(it.hub.claim(other.session, 'shop'))
  t.match(other.values(ERROR), [{ code: 'NAME_TAKEN', name: 'shop' }])
  t.equal(other.session.name, undefined)
  first.pipe.cut()
  t.notOk(it.hub.claim(other.session, 'shop'), 'also while it is away')
  first.session.end()
  same.session.end()
  t.ok(it.hub.claim(other.session, 'shop'))
  await it.hub.close()
})

test('what is no name is refused, and so is who has no right to it', async (t) => {
  const it = new HubUnderTest({ rules: [{ who: 'user:ann', may: ['answer'], path: '@shop/**' }] })
  const ann = it.client({ principal: ANN })
  ann.take()
  for (const name of ['hub', '', 'a b', 'a/b', 'ä', 'x'.repeat(129), ann.session.id]) {
    t.notOk(it.hub.claim(ann.session, name), name)
  }
  t.notOk(it.hub.claim(ann.session, 'other'), 'no right to it')
  t.ok(it.hub.claim(ann.session, 'shop'))
  const bob = it.client({ principal: BOB })
  bob.take()
  t.notOk(it.hub.claim(bob.session, 'shop'))
  t.match(bob.values(ERROR), [{ code: 'NOT_ALLOWED', name: 'shop' }])
  await it.hub.close()
})

test('a name that its client takes over into another principal does not mix pools', async (t) => {
  const it = new HubUnderTest(OPEN)
  const [one, two] = [named(it, 'shop', ANN), named(it, 'shop', ANN)]
  two.resume({}, { principal: BOB })
  t.equal(two.session.name, undefined)
  t.match(two.values(ERROR), [{ code: 'NAME_TAKEN', name: 'shop' }])
  one.session.end()
  const three = named(it, 'shop', BOB)
  three.resume({}, { principal: ANN })
  t.equal(three.session.name, 'shop', 'alone it takes its name along')
  await it.hub.close()
})

test('a name is lost when the right to it is', async (t) => {
  const it = new HubUnderTest({ rules: [{ who: 'user:ann', may: ['answer'], path: '@shop/**' }] })
  const ann = named(it, 'shop', ANN)
  ann.resume({}, { principal: ANYONE })
  t.equal(ann.session.name, undefined)
  t.match(ann.values(ERROR), [{ code: 'NOT_ALLOWED', name: 'shop' }])
  t.same(ask(it, '@shop/a', { wait: 0 }).codes(), [[Code.absent, 503]], 'but it is remembered')
  await it.hub.close()
})

test('an unknown name is told at once, a known one that is away is waited for', async (t) => {
  const it = new HubUnderTest({ ...OPEN, ask: { wait: 20_000 } })
  t.same(ask(it, '@nobody/a').codes(), [[Code.absent, 404]])
  const client = named(it, 'shop')
  client.pipe.cut()
  const patient = ask(it, '@shop/a')
  const byId = ask(it, `@${client.session.id}/a`)
  const hasty = ask(it, '@shop/b', { wait: 1_000 })
  const never = ask(it, '@shop/c', { wait: 0 })
  t.same(never.codes(), [[Code.absent, 503]])
  it.clock.advance(1_100)
  t.same(hasty.codes(), [[Code.absent, 503]])
  t.equal(it.hub.directory.waiting, 2)
  client.resume()
  t.equal(it.hub.directory.waiting, 0)
  const questions = questionsOf(client)
  t.same(
    questions.map(({ path }) => path),
    ['@shop/a', `@${client.session.id}/a`],
  )
  for (const question of questions) answer(client, question, 'here')
  t.same([...patient.answers, ...byId.answers].map(bodyValue), ['here', 'here'])
  await it.hub.close()
})

test('anybody of the pool who comes is asked what waited, also one that takes the name just then', async (t) => {
  const it = new HubUnderTest(OPEN)
  const client = named(it, 'shop', ANN)
  client.session.end()
  const asked = ask(it, '@shop/a')
  t.same(asked.answers, [])
  const other = it.client({ principal: BOB })
  t.ok(it.hub.claim(other.session, 'shop'))
  t.equal(questionsOf(other).length, 1)
  await it.hub.close()
})

test('a name that nobody had for a day is unknown again', async (t) => {
  const it = new HubUnderTest({ ...OPEN, session: { expire: 1_000 } })
  const client = named(it, 'shop')
  client.session.end()
  it.clock.jump(86_400_000 - 1_000)
  t.same(ask(it, '@shop/a', { wait: 0 }).codes(), [[Code.absent, 503]])
  it.clock.jump(2_000)
  t.same(ask(it, '@shop/a', { wait: 0 }).codes(), [[Code.absent, 404]])
  await it.hub.close()
})

test('who gives up while it waits is not asked for any more', async (t) => {
  const it = new HubUnderTest(OPEN)
  const client = named(it, 'shop')
  client.pipe.cut()
  const asked = ask(it, '@shop/a')
  asked.cancel()
  t.equal(it.hub.directory.waiting, 0)
  client.resume()
  t.same(questionsOf(client), [])
  it.clock.advance(60_000)
  t.same(asked.answers, [])
  await it.hub.close()
})

test('an asker that gives up, or whose time is up, has the answerer told', async (t) => {
  const it = new HubUnderTest(OPEN)
  const client = named(it, 'shop')
  const given = ask(it, '@shop/a')
  const [first] = questionsOf(client)
  given.cancel()
  const late = ask(it, '@shop/b', {}, 1_000)
  it.clock.advance(1_100)
  const [second, ...cancels] = client.take().filter(({ path }) => path !== CANCEL || true)
  t.same(late.codes(), [[Code.timeout, 504]])
  t.same(
    [second, ...cancels].map((update) => [update?.path, update?.meta.reply, update?.meta.code]),
    [
      [CANCEL, first?.meta.reply, Code.cancelled],
      ['@shop/b', 'q2', undefined],
      [CANCEL, 'q2', Code.cancelled],
    ],
  )
  answer(client, first, 'too late')
  t.equal(client.session.openQuestions, 0)
  t.same(client.paths(), [ERROR])
  t.same(given.answers, [])
  await it.hub.close()
})

test('what was not answered is asked again after a resume, with what is left of its time', async (t) => {
  for (const confirms of [false, true]) {
    const it = new HubUnderTest(OPEN)
    const client = it.client({ confirms })
    it.hub.claim(client.session, 'shop')
    client.take()
    const asked = ask(it, '@shop/a')
    ask(it, '@shop/b')
    const ended = ask(it, '@shop/c')
    it.hub.outlet.flush()
    ended.cancel()
    it.clock.advance(10_000)
    client.resume({ confirms })
    const questions = questionsOf(client)
    t.same(
      questions.map(({ path, meta }) => [path, meta.reply, meta.deadline]),
      [
        ['@shop/a', 'q1', 20_000],
        ['@shop/b', 'q2', 20_000],
      ],
      'each once',
    )
    answer(client, questions[0], 'at last')
    t.same(asked.answers.map(bodyValue), ['at last'])
    await it.hub.close()
  }
})

test('the end of a session, and a clean good-bye, end its questions; an interruption does not', async (t) => {
  const it = new HubUnderTest(OPEN)
  const client = named(it, 'shop')
  const first = ask(it, '@shop/a')
  client.pipe.cut()
  t.same(first.answers, [])
  client.resume()
  client.take()
  client.pipe.cut(true)
  t.same(first.codes(), [[Code.lost, 502]])
  client.resume()
  t.same(questionsOf(client), [])
  const second = ask(it, '@shop/b')
  client.pipe.cut()
  it.clock.advance(61_000)
  t.ok(client.session.ended)
  t.same(second.codes(), [[Code.timeout, 504]], 'its own time was up first')
  const other = named(it, 'shop')
  const third = ask(it, '@shop/c')
  other.session.end()
  t.same(third.codes(), [[Code.lost, 502]])
  await it.hub.close()
})

test('a direct message that wants no answer is delivered, or goes nowhere', async (t) => {
  const it = new HubUnderTest(OPEN)
  const client = named(it, 'shop')
  it.publish('@shop/note', 'hello')
  it.publish('@nobody/note', 'hello')
  const [note] = questionsOf(client)
  t.equal(bodyValue(note as Update), 'hello')
  t.equal(note?.meta.reply, undefined)
  t.same(
    it.backEnd.values('::receipt').map((receipt) => (receipt as { matched: number }).matched),
    [1, 0],
  )
  t.equal(client.session.openQuestions, 0)
  await it.hub.close()
})

test('a client asks another, once however often it says so, and gets the answer again', async (t) => {
  const it = new HubUnderTest(OPEN)
  const shop = named(it, 'shop')
  const asker = it.client()
  asker.take()
  asker.say('@shop/a', 'q', { reply: 'mine', verb: 'GET' })
  asker.say('@shop/a', 'q', { reply: 'mine', verb: 'GET' })
  const questions = questionsOf(shop)
  t.equal(questions.length, 1)
  answer(shop, questions[0], 'yes', { code: 3 })
  asker.say('@shop/a', 'q', { reply: 'mine' })
  const came = asker.take()
  t.same(
    came.map((update) => [update.path, update.meta.reply, update.meta.code, bodyValue(update)]),
    [
      [REPLY, 'mine', 3, 'yes'],
      [REPLY, 'mine', 3, 'yes'],
    ],
  )
  t.same(questionsOf(shop), [])
  await it.hub.close()
})

test('an asker that is away when the answer comes finds it when it is back', async (t) => {
  const it = new HubUnderTest(OPEN)
  const shop = named(it, 'shop')
  const asker = it.client()
  asker.take()
  asker.say('@shop/a', 'q', { reply: 'mine' })
  asker.pipe.cut()
  answer(shop, questionsOf(shop)[0], 'yes')
  asker.resume()
  t.same(
    asker.take().map(({ path, meta }) => [path, meta.reply]),
    [
      [HELLO, undefined],
      [REPLY, 'mine'],
      ['::resumed', undefined],
    ],
  )
  await it.hub.close()
})

test('a client may take back its question, and its end takes back all', async (t) => {
  const it = new HubUnderTest(OPEN)
  const shop = named(it, 'shop')
  const asker = it.client()
  asker.say('@shop/a', 'q', { reply: 'one' })
  asker.say('@shop/b', 'q', { reply: 'two' })
  asker.say('@shop/c', 'q', { reply: 'three' })
  asker.say(CANCEL, 'one')
  asker.say(CANCEL, '', { reply: 'two' })
  t.equal(shop.session.openQuestions, 1)
  asker.session.end()
  t.equal(shop.session.openQuestions, 0)
  await it.hub.close()
})

test('a client has so many open questions and no more', async (t) => {
  const it = new HubUnderTest(OPEN)
  const shop = named(it, 'shop')
  const asker = it.client()
  asker.take()
  for (let i = 0; i < 257; i++) asker.say('@shop/a', 'q', { reply: `r${i}` })
  t.equal(shop.session.openQuestions, 256)
  t.match(asker.values(ERROR), [{ code: 'LIMIT_QUESTIONS', reply: 'r256' }])
  answer(shop, questionsOf(shop)[0], 1)
  asker.say('@shop/a', 'q', { reply: 'r256' })
  t.equal(shop.session.openQuestions, 256)
  await it.hub.close()
})

test('answers are kept for a repeat within a bound of their number and of their size', async (t) => {
  const it = new HubUnderTest(OPEN)
  let asked = 0
  const local: Component = {
    id: NO_ID,
    principal: SYSTEM,
    update: (_sender, path, message) => {
      asked++
      const answer = jsonMessage(path.endsWith('large') ? 'x'.repeat(300_000) : 'small')
      it.hub.update(local, message.meta.reply ?? '', answer)
    },
  }
  it.hub.answer('local', local)
  const client = it.client()
  const again = (noun: string, reply: string): boolean => {
    const before = asked
    client.say(`@local/${noun}`, 'q', { reply })
    client.take()
    return asked > before
  }
  for (let i = 0; i < 65; i++) t.ok(again('small', `s${i}`))
  t.ok(again('small', 's0'), 'the oldest is forgotten')
  t.notOk(again('small', 's64'))
  for (let i = 0; i < 8; i++) t.ok(again('large', `l${i}`))
  t.notOk(again('large', 'l7'))
  t.ok(again('large', 'l0'), 'large ones sooner')
  await it.hub.close()
})

test('a local component answers like a client, and one that throws is an answer too', async (t) => {
  const it = new HubUnderTest(OPEN)
  const local: Component = {
    id: NO_ID,
    principal: SYSTEM,
    update: (_sender, path, message) => {
      if (path.endsWith('/throw')) throw new Error('broken')
      it.hub.update(local, message.meta.reply ?? '', jsonMessage('here', { code: 0 }))
    },
  }
  const forget = it.hub.answer('local', local)
  t.same(ask(it, '@local/a').answers.map(bodyValue), ['here'])
  t.same(ask(it, '@local/throw').codes(), [[Code.threw, 500]])
  t.equal(it.hub.counters.thrown, 1)
  const client = it.client()
  t.notOk(it.hub.claim(client.session, 'local'), 'its name is taken')
  forget()
  t.same(ask(it, '@local/a').codes(), [[Code.absent, 404]])
  await it.hub.close()
})

test('a question may carry a signal of its own', async (t) => {
  const it = new HubUnderTest(OPEN)
  const client = named(it, 'shop')
  const cancel = new CancelSignal()
  it.publish('@shop/a', 'q', { reply: '::inbox/somebody/1.1', cancel })
  cancel.cancel()
  t.same(
    client.take().map(({ path }) => path),
    ['@shop/a', CANCEL],
  )
  t.equal(client.session.openQuestions, 0)
  await it.hub.close()
})

test('a hub that closes ends every question', async (t) => {
  const it = new HubUnderTest(OPEN)
  const client = named(it, 'shop')
  const open = ask(it, '@shop/a')
  client.pipe.cut()
  const waiting = ask(it, '@shop/b')
  await it.hub.close()
  t.same(open.codes(), [[Code.lost, 502]])
  t.same(waiting.codes(), [[Code.lost, 502]])
  t.same(ask(it, '@shop/c').codes(), [[Code.lost, 502]])
})

test('a client has a thousand questions open at most, and no more than its outbox holds', async (t) => {
  const it = new HubUnderTest({ ...OPEN, session: { outbox: 100_000 } })
  const client = named(it, 'worker')
  const many = Array.from({ length: 1_025 }, () => {
    const asked = ask(it, '@worker/x')
    client.take()
    return asked
  })
  t.same(many.at(-1)?.codes(), [[Code.absent, 503]])
  t.match(bodyValue(many.at(-1)?.answers[0] as Message), { code: 'CLIENT_BUSY' })
  t.equal(client.session.openQuestions, 1_024)
  for (const { cancel } of many) cancel()
  const large = (): Message[] => {
    const answers: Message[] = []
    const message = jsonMessage('x'.repeat(60_000))
    it.hub.ask({ path: '@worker/x', message, timeout: 1_000 }, (answer) => answers.push(answer))
    client.take()
    return answers
  }
  const [first, second] = [large(), large()]
  t.equal(client.session.openQuestions, 1)
  t.match(bodyValue(second[0] as Message), { code: 'CLIENT_BUSY' })
  t.same(first, [])
  await it.hub.close()
})

test('an answer that is a stream, which no frame can say, is told as such and costs no connection', (t) => {
  const it = new HubUnderTest({ rules: [{ who: '*', may: ['ask'], path: '@film/**' }] })
  const stream = Readable.from(['a'])
  const film: Component = {
    id: NO_ID,
    principal: SYSTEM,
    update: (_sender, path, { meta: { reply = '' } }) => {
      if (path === '@film/x') it.hub.update(film, reply, message(stream, 'video/mp4', { code: 0 }))
    },
  }
  it.hub.answer('film', film)
  const client = it.client()
  client.take()
  client.say('@film/x', 1, { reply: 'r' })
  const [reply] = client.take()
  t.match(reply?.meta, { reply: 'r', code: 251, status: 502 })
  t.match(bodyValue(reply as Update), { code: 'BODY_STREAM' })
  t.ok(stream.destroyed)
  t.end()
})

test('a session that has ended says nothing more, and gets no name that it would never let go of', (t) => {
  const it = new HubUnderTest({ ...OPEN, public: ['**'] })
  const client = it.client({ principal: KEY })
  client.session.end()
  client.say('a', 1)
  client.say('@shop/x', 1, { reply: 'r' })
  t.equal(it.hub.engine.head, 0)
  t.equal(it.hub.claim(client.session, 'shop'), false)
  t.equal(client.session.name, undefined)
  t.equal(it.hub.controller.named('shop'), undefined)
  t.equal(it.hub.claim(it.client({ principal: ANN }).session, 'shop'), true)
  t.end()
})
