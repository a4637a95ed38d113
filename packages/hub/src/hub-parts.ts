/**
 * What a hub is made of, put together: Controller ─▶ Tap, and Gate ─▶ History ─▶ Router, an inbox for questions of its own,
 * and what all sessions share.
 * Invariant: nothing is decided here; the parts know each other only by what they are handed.
 */
import type { Component, Dispatcher, Message } from '@sapwood/core'
import { Controller, Inbox, inboxPattern, Router, SYSTEM, Wheel } from '@sapwood/core'
import { Budget } from './budget.ts'
import { Counters } from './counters.ts'
import { Directory } from './directory.ts'
import type { Engine } from './engine.ts'
import { Gate } from './gate.ts'
import { History } from './history.ts'
import { Incidents } from './incidents.ts'
import { MemoryEngine } from './memory-engine.ts'
import { Names } from './names.ts'
import { nodeClock, randomEpoch, randomLetters, randomSecret } from './node.ts'
import { Outlet } from './outlet.ts'
import type { Session } from './session.ts'
import { Sessions } from './sessions.ts'
import type { HubOptions, HubSettings, Log } from './settings.ts'
import { hubRules } from './settings.ts'
import { counter } from './tap.ts'

/** The first part of every id, and the name under which the hub itself can be asked. */
export const HUB = 'hub'

/** What the parts need of their hub. */
export interface PartsHost {
  /** That of the newest retained update. */
  readonly position: string
  /** What a session may follow is not what it was. */
  review(session: Session): void
}

export interface HubParts {
  readonly controller: Controller
  readonly dispatcher: Dispatcher<Component, Message>
  readonly gate: Gate
  readonly engine: Engine
  readonly directory: Directory
  readonly sessions: Sessions
  readonly names: Names
  readonly inbox: Inbox
  readonly counters: Counters
  readonly wheel: Wheel
  readonly outlet: Outlet
  readonly budget: Budget
}

export function hubParts(
  host: PartsHost,
  options: HubOptions,
  all: HubSettings,
  log: Log,
): HubParts {
  const clock = options.clock ?? nodeClock
  const wheel = new Wheel(clock)
  const counters = new Counters()
  const incidents = new Incidents(counters, log)
  const outlet = new Outlet(
    setImmediate,
    () => clock.now(),
    (thrown, session) => incidents.unsent(thrown, session as Session),
  )
  const engine = options.engine ?? new MemoryEngine(clock, { epoch: randomEpoch(), ...all.history })
  const onThrow = incidents.threw.bind(incidents)
  const controller = new Controller(HUB, {
    random: randomLetters,
    defer: setImmediate,
    onThrow,
    onLoop: incidents.looped.bind(incidents),
  })
  const find = (id: string): Component | undefined => controller.get(id)
  const named = (name: string): ReadonlySet<Component> | undefined => controller.named(name)
  const reply = (path: string, answer: Message): void => controller.update(controller, path, answer)
  const directory = new Directory({
    find,
    named,
    name: (component, name) => controller.name(component, name),
    reply,
    onThrow,
    wheel,
    wait: all.ask.wait,
  })
  const ids = `${randomLetters(8)}.`
  let published = 0
  const router = new Router({
    find,
    direct: (sender, path, message) => directory.route(sender, path, message),
    position: () => host.position,
    nextId: () => ids + ++published,
    onThrow,
    onIgnored: () => counters.ignored++,
    onReceipt: (sender, receipt) => history.remember(sender, receipt),
  })
  const { dispatcher } = router
  const history = new History(engine, router, wheel, {
    ...all.history,
    onDuplicate: () => counters.duplicates++,
  })
  const gate = new Gate(history, hubRules(options), {
    find,
    reply,
    onRefused: () => counters.refused++,
    onRevoked: (grantee) => host.review(grantee as Session),
  })
  controller.delegate(counter(counters))
  controller.delegate(gate)
  const inbox = new Inbox(controller, wheel, SYSTEM)
  controller.register(inbox)
  dispatcher.subscribe(inbox, inboxPattern(inbox.id))
  return {
    controller,
    dispatcher,
    gate,
    engine,
    directory,
    sessions: new Sessions(all.limits, randomSecret),
    names: new Names({ directory, gate, counters, named }),
    inbox,
    counters,
    wheel,
    outlet,
    budget: new Budget(all.limits.outbox),
  }
}
