/** A router with its dispatcher, and components that note what reaches them. */
import type { Component, Message, RouterDeps } from '@sapwood/core'
import { jsonMessage, Router, SYSTEM } from '@sapwood/core'
import { RecordingComponent } from '@sapwood/testkit'

export function setUp(deps: Partial<RouterDeps> = {}) {
  const components = new Map<string, Component>()
  const thrown: [thrown: unknown, receiver: Component, path: string][] = []
  const ignored: [path: string, text: string][] = []
  const router = new Router({
    find: (id) => components.get(id),
    onThrow: (...told) => thrown.push(told),
    onIgnored: (...told) => ignored.push(told),
    ...deps,
  })
  router.id = 'dispatcher'
  const add = (id: string): RecordingComponent => {
    const component = new RecordingComponent(id)
    components.set(id, component)
    return component
  }
  return {
    router,
    dispatcher: router.dispatcher,
    components,
    thrown,
    ignored,
    add,
    publisher: add('publisher'),
  }
}

/** A component that does something at each update. */
export function doing(id: string, run: (path: string) => void): Component {
  return { id, principal: SYSTEM, update: (_sender, path) => run(path) }
}

export function goneOf(component: Component): Message {
  return jsonMessage(component.id)
}
