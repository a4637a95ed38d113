import { ANYONE, Controller, Inbox, NO_ID, Router, SYSTEM, Wheel } from '@sapwood/core'
import { Gate, hub, logger } from '@sapwood/hub'
import {
  componentConformance,
  FakeClock,
  MemoryLink,
  RecordingComponent,
  randomLetters,
} from '@sapwood/testkit'
import { lineText } from '@sapwood/wire'
import { test } from 'tap'

test('the components of core keep the contract', async (t) => {
  componentConformance(t, 'recorder', () => ({ component: new RecordingComponent() }))
  componentConformance(t, 'controller', () => {
    const probe = new RecordingComponent()
    const controller = new Controller('hub', { random: randomLetters(1), defer: (run) => run() })
    controller.delegate(probe)
    return { component: controller, forwardsTo: probe, close: () => controller.stop() }
  })
  componentConformance(t, 'router', () => {
    const probe = new RecordingComponent('probe')
    const router = new Router({ find: () => undefined })
    router.dispatcher.subscribe(probe, '**')
    return { component: router, forwardsTo: probe }
  })
  componentConformance(t, 'inbox', () => {
    const inbox = new Inbox(new RecordingComponent(), new Wheel(new FakeClock()), SYSTEM)
    return { component: inbox, close: () => inbox.close() }
  })
})

test('the components of the hub keep the contract', async (t) => {
  componentConformance(t, 'gate', () => {
    const probe = new RecordingComponent()
    const rules = [{ who: 'anyone', may: ['publish'], path: '**' }] as const
    const gate = new Gate(probe, rules, { find: () => undefined, reply: () => undefined })
    return { component: gate, forwardsTo: probe }
  })
  componentConformance(t, 'logger', () => ({ component: logger(() => undefined, lineText) }))
  componentConformance(t, 'hub', () => {
    const probe = new RecordingComponent(NO_ID)
    const one = hub({
      clock: new FakeClock(),
      rules: [{ who: 'anyone', may: ['publish'], path: '**' }],
    })
    one.controller.register(probe)
    one.dispatcher.subscribe(probe, '**')
    return { component: one.controller, forwardsTo: probe, close: () => one.close() }
  })
  for (const attached of [true, false]) {
    componentConformance(t, attached ? 'session' : 'detached session', () => {
      const one = hub({ clock: new FakeClock() })
      const session = one.open({ principal: ANYONE })
      if (attached) session.attach(new MemoryLink(session))
      return { component: session, close: () => one.close() }
    })
  }
})
