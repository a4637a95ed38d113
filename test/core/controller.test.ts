import type { Component } from '@sapwood/core'
import { Controller, GONE, jsonMessage, NO_ID, nameFault, RECEIPT, Receipt } from '@sapwood/core'
import { RecordingComponent, randomLetters } from '@sapwood/testkit'
import { test } from 'tap'

function setUp() {
  const thrown: [thrown: unknown, delegate: Component, path: string][] = []
  const turns: (() => void)[] = []
  const controller = new Controller('hub', {
    random: randomLetters(1),
    defer: (run) => turns.push(run),
    onThrow: (...told) => thrown.push(told),
  })
  return { controller, thrown, turns }
}

test('DB-02: updates are forwarded unchanged to the delegates, in order', async (t) => {
  const { controller } = setUp()
  const order: string[] = []
  const sender = new RecordingComponent('sender')
  const message = jsonMessage({ a: 1 })
  for (const name of ['first', 'second', 'third']) {
    controller.delegate({
      id: name,
      principal: controller.principal,
      update: (from, path, what) => {
        t.equal(from, sender)
        t.equal(path, 'a/b')
        t.equal(what, message)
        order.push(name)
      },
    })
  }
  const registered = new RecordingComponent()
  controller.register(registered)
  controller.update(sender, 'a/b', message)
  t.same(order, ['first', 'second', 'third'])
  t.same(registered.received, [], 'who is registered only is not told')
})

test('a delegate can be taken out again, once for each time it was put in', async (t) => {
  const { controller } = setUp()
  const probe = new RecordingComponent('probe')
  const undoFirst = controller.delegate(probe)
  const undoSecond = controller.delegate(probe)
  undoFirst()
  undoFirst()
  controller.update(probe, 'a', jsonMessage(1))
  t.equal(probe.take().length, 1)
  undoSecond()
  controller.update(probe, 'a', jsonMessage(2))
  t.equal(probe.take().length, 0)
})

test('a delegate that is added during an update gets the next one first', async (t) => {
  for (const others of [0, 1, 2]) {
    const { controller } = setUp()
    const late = new RecordingComponent('late')
    let added = false
    controller.delegate({
      id: 'adder',
      principal: controller.principal,
      update: () => {
        if (!added) controller.delegate(late)
        added = true
      },
    })
    for (let i = 0; i < others; i++) controller.delegate(new RecordingComponent())
    controller.update(late, 'a', jsonMessage(1))
    t.same(late.paths, [], `beside ${others} others`)
    controller.update(late, 'b', jsonMessage(2))
    t.same(late.paths, ['b'], `beside ${others} others`)
  }
})

test('a delegate that takes itself out makes no other miss the update', async (t) => {
  const { controller } = setUp()
  const after = new RecordingComponent('after')
  const undo = controller.delegate({
    id: 'leaver',
    principal: controller.principal,
    update: () => undo(),
  })
  controller.delegate(after)
  controller.update(after, 'a', jsonMessage(1))
  t.same(after.paths, ['a'])
})

test('W7: a delegate that throws is told and stops no other', async (t) => {
  const { controller, thrown } = setUp()
  const mistake = new Error('mistake')
  const broken: Component = {
    id: 'broken',
    principal: controller.principal,
    update: () => {
      throw mistake
    },
  }
  const after = new RecordingComponent('after')
  controller.delegate(broken)
  controller.delegate(after)
  controller.update(after, 'a', jsonMessage(1))
  controller.update(after, 'b', jsonMessage(1))
  t.same(after.paths, ['a', 'b'])
  t.equal(thrown.length, 2)
  t.same(thrown[0], [mistake, broken, 'a'])
})

test('updates of delegates are queued, not nested', async (t) => {
  const { controller } = setUp()
  const order: string[] = []
  controller.delegate({
    id: 'asker',
    principal: controller.principal,
    update: (sender, path) => {
      order.push(`asker ${path}`)
      if (path === 'a') controller.update(sender, 'b', jsonMessage(1))
    },
  })
  controller.delegate({
    id: 'other',
    principal: controller.principal,
    update: (_sender, path) => order.push(`other ${path}`),
  })
  controller.update(controller, 'a', jsonMessage(1))
  t.same(order, ['asker a', 'other a', 'asker b', 'other b'])
})

test('DB-03, DB-04: register gives an id of three parts, counted from 1', async (t) => {
  const { controller } = setUp()
  const first = new RecordingComponent()
  const second = new RecordingComponent()
  t.equal(first.id, NO_ID)
  t.equal(controller.register(first), first.id)
  controller.register(second)
  t.match(first.id, /^hub-[A-Za-z0-9]{32}-1$/)
  t.match(second.id, /^hub-[A-Za-z0-9]{32}-2$/)
  t.equal(controller.get(first.id), first)
  t.equal(controller.get(second.id), second)
  t.equal(controller.get('hub-nobody-3'), undefined)
  t.throws(() => controller.register(first), { code: 'COMPONENT_REGISTERED' })
  t.equal(controller.get(first.id), first)
})

test('DB-03: unregister tells `::gone` with the id, once', async (t) => {
  const { controller } = setUp()
  const observer = new RecordingComponent('observer')
  controller.delegate(observer)
  const component = new RecordingComponent()
  const id = controller.register(component)
  t.ok(controller.unregister(component))
  t.equal(controller.get(id), undefined)
  t.notOk(controller.unregister(component))
  t.notOk(controller.unregister(new RecordingComponent()))
  t.notOk(controller.unregister(new RecordingComponent(id)))
  t.same(observer.lines, [`${GONE} "${id}"`])
  t.equal(observer.received[0]?.sender, controller)
})

test('an impostor with the id of another cannot unregister it', async (t) => {
  const { controller } = setUp()
  const component = new RecordingComponent()
  const id = controller.register(component)
  t.notOk(controller.unregister(new RecordingComponent(id)))
  t.equal(controller.get(id), component)
})

test('receipts of its own `::gone` go no further', async (t) => {
  const { controller } = setUp()
  const observer = new RecordingComponent('observer')
  controller.delegate(observer)
  controller.update(observer, RECEIPT, new Receipt('', '', 0))
  t.same(observer.received, [])
})

test('a name leads to everybody of that name', async (t) => {
  const { controller } = setUp()
  const one = new RecordingComponent('one')
  const two = new RecordingComponent('two')
  t.equal(controller.named('files'), undefined)
  const undoOne = controller.name(one, 'files')
  const undoTwo = controller.name(two, 'files')
  t.same([...(controller.named('files') ?? [])], [one, two])
  undoOne()
  t.same([...(controller.named('files') ?? [])], [two])
  const undoAgain = controller.name(one, 'files')
  undoOne()
  t.same([...(controller.named('files') ?? [])], [two, one], 'an undo works once')
  undoTwo()
  undoAgain()
  t.equal(controller.named('files'), undefined)
})

test('who is unregistered is not reached by a name any more', async (t) => {
  const { controller } = setUp()
  const [one, two] = [new RecordingComponent(), new RecordingComponent()]
  controller.register(one)
  controller.register(two)
  const undo = controller.name(one, 'files')
  controller.name(one, 'disks')
  controller.name(two, 'files')
  controller.unregister(one)
  t.same([...(controller.named('files') ?? [])], [two])
  t.equal(controller.named('disks'), undefined)
  undo()
  t.same([...(controller.named('files') ?? [])], [two])
})

test('nobody is called like the hub, like an id, or what no URL could say', async (t) => {
  for (const name of ['alpha', 'a.b-c_d', '0', 'x'.repeat(128), 'Hub']) {
    t.equal(nameFault(name), undefined, name)
  }
  const id = `hub-${'a'.repeat(32)}-1`
  for (const name of ['', '.', '..', 'hub', id, 'a b', 'a/b', 'ä', '@a', 'x'.repeat(129), 'a\n']) {
    t.type(nameFault(name), 'string', name)
  }
  t.type(nameFault('server', 'server'), 'string')
  t.equal(nameFault('hub', 'server'), undefined)
})

test('DB-05: a start hook runs once, however often it is added and wherever', async (t) => {
  const { controller } = setUp()
  const ran: string[] = []
  const late = (): void => {
    ran.push('late')
  }
  const early = (): void => {
    ran.push('early')
    controller.onStart(late)
    controller.onStart(late)
  }
  controller.onStart(early)
  controller.onStart(early)
  t.same(ran, [])
  controller.start()
  controller.start()
  t.same(ran, ['early', 'late'])
  controller.onStart(early)
  controller.onStart(late)
  controller.onStart(() => ran.push('after the start'))
  t.same(ran, ['early', 'late', 'after the start'])
})

test('stop hooks run once, the last first, and one that throws hinders none', async (t) => {
  const { controller } = setUp()
  const ran: string[] = []
  const first = (): void => {
    ran.push('first')
  }
  const mistake = new Error('mistake')
  controller.onStop(first)
  controller.onStop(() => {
    throw mistake
  })
  controller.onStop(() => ran.push('last'))
  controller.onStop(first)
  t.throws(() => controller.stop(), mistake)
  t.same(ran, ['last', 'first'])
  controller.stop()
  t.same(ran, ['last', 'first'])
})
