/**
 * What every Component promises, whatever it does with an update: it takes anything, returns nothing, throws
 * nothing, leaves the message alone and never puts itself in the place of the sender.
 */
import type { Component, Message } from '@sapwood/core'
import {
  ANYONE,
  BYTES_TYPE,
  Controller,
  jsonMessage,
  Mark,
  message,
  NO_ID,
  Receipt,
  TEXT_TYPE,
  Update,
} from '@sapwood/core'
import { randomLetters } from './random.ts'
import { RecordingComponent } from './recording-component.ts'
import type { TestLike } from './test-like.ts'

export interface ComponentCase {
  /** A component that nobody has used yet, registered or not. */
  readonly component: Component
  /** Where it passes updates on to, if it does that. */
  readonly forwardsTo?: RecordingComponent
  /** Ends it. It must take updates afterwards as well: some may be on their way. */
  close?(): void | Promise<void>
}

/**
 * Runs the contract on what `make` gives.
 * @example componentConformance(t, 'a history', () => ({ component: new History(…), forwardsTo: probe }))
 */
export function componentConformance(
  t: TestLike,
  name: string,
  make: () => ComponentCase | Promise<ComponentCase>,
): void {
  t.test(`${name}: has a principal, takes an id and keeps it`, async (t) => {
    const { component, close } = await make()
    t.equal(typeof component.principal.id, 'string')
    t.equal(typeof component.principal.trusted, 'boolean')
    if (component.id === NO_ID) {
      const controller = new Controller('hub', { random: randomLetters(1), defer: (run) => run() })
      t.equal(controller.register(component), component.id)
      t.equal(controller.get(component.id), component)
    }
    const { id } = component
    attempt(component, 'a', jsonMessage(1))
    t.equal(component.id, id)
    await close?.()
  })

  t.test(`${name}: takes every kind of update, returns nothing and throws nothing`, async (t) => {
    const { component, close } = await make()
    for (const path of PATHS) {
      for (const [kind, said] of messages()) {
        t.equal(attempt(component, path, said), undefined, `${kind} on ${path}`)
      }
    }
    await close?.()
  })

  t.test(`${name}: changes nothing in a message`, async (t) => {
    const { component, close } = await make()
    for (const path of PATHS) {
      for (const [kind, said] of messages()) {
        const before = plain(said)
        attempt(component, path, said)
        t.same(plain(said), before, `${kind} on ${path}`)
      }
    }
    await close?.()
  })

  t.test(`${name}: what it passes on keeps its sender`, async (t) => {
    const { component, forwardsTo, close } = await make()
    const from = sender()
    attempt(component, 'a/b', jsonMessage(1), from)
    for (const received of forwardsTo?.received ?? []) t.equal(received.sender, from, received.path)
    await close?.()
  })

  t.test(`${name}: takes updates after its end`, async (t) => {
    const { component, close } = await make()
    await close?.()
    for (const [kind, said] of messages()) {
      t.equal(attempt(component, 'a/b', said), undefined, kind)
    }
    await close?.()
  })
}

const PATHS = [
  'a',
  'a/b/c',
  '::connect',
  '::disconnect',
  '::connected',
  '::disconnected',
  '::gone',
  '::receipt',
  '::error',
  '::inbox/nobody/0.1',
  '::never-heard-of',
  '@nobody/noun',
]

/** Each kind of message that may come along, frozen where it can be. */
function messages(): [kind: string, message: Message][] {
  const meta = Object.freeze({ id: 'i', key: 'k', origin: 'o', reply: '::inbox/nobody/0.1' })
  return [
    ['JSON', message('{"a":1}', undefined, meta)],
    ['a JSON string', jsonMessage('nobody->a/b')],
    ['an empty string', jsonMessage('')],
    ['null', jsonMessage(null)],
    ['text', message('nobody->a', TEXT_TYPE)],
    ['empty text', message('', TEXT_TYPE)],
    ['bytes', message(Uint8Array.of(0, 255), BYTES_TYPE, meta)],
    ['a stream', message(stream(), BYTES_TYPE)],
    ['a receipt', new Receipt('i', '', 0)],
    ['an update with a place', new Update('a/b', jsonMessage(1), 7, '0123456789abcdef-7')],
    ['a marked update', new Update('a/b', jsonMessage(1), 8, '0123456789abcdef-8', Mark.replay)],
  ]
}

async function* stream(): AsyncGenerator<Uint8Array> {
  yield Uint8Array.of(1)
}

function sender(): RecordingComponent {
  return new RecordingComponent('somebody', ANYONE)
}

function attempt(
  component: Component,
  path: string,
  said: Message,
  from: Component = sender(),
): unknown {
  try {
    return component.update(from, path, said)
  } catch (thrown) {
    return thrown ?? 'threw'
  }
}

function plain({ body, type, meta }: Message): unknown {
  return { body: body instanceof Uint8Array ? [...body] : body, type, meta: { ...meta } }
}
