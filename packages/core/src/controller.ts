/**
 * Gives ids, keeps the registry and the names, and forwards every update unchanged to its delegates in the
 * order of their registration (DB-02 to DB-05). It decides nothing.
 * Invariant: updates run to completion, one delegate that throws stops no other, an id that was
 * unregistered is told once with `::gone`, and every hook runs once.
 */
import { callAll } from './call-all.ts'
import type { Component, Principal } from './component.ts'
import { NO_ID, SYSTEM } from './component.ts'
import { GONE, RECEIPT } from './control-path.ts'
import { SapwoodError } from './errors.ts'
import type { MailboxOptions } from './mailbox.ts'
import { Mailbox } from './mailbox.ts'
import type { Message } from './message.ts'
import { jsonMessage } from './message.ts'

export interface ControllerDeps extends MailboxOptions {
  /** `length` random letters and digits. */
  readonly random: (length: number) => string
  /** A delegate threw. The others still get the update. */
  readonly onThrow?: (thrown: unknown, delegate: Component, path: string) => void
}

export class Controller implements Component {
  id: string
  readonly principal: Principal = SYSTEM
  readonly #deps: ControllerDeps
  readonly #mailbox: Mailbox
  readonly #components = new Map<string, Component>()
  readonly #names = new Map<string, Set<Component>>()
  /** Takes the names of a component from it. */
  readonly #unname = new Map<Component, Set<() => void>>()
  #delegates: readonly { readonly component: Component }[] = []
  readonly #startHooks = new Set<() => void>()
  readonly #stopHooks: (() => void)[] = []
  #count = 0
  #started = false

  /** @param id the first part of every id that it gives. */
  constructor(id: string, deps: ControllerDeps) {
    this.id = id
    this.#deps = deps
    this.#mailbox = new Mailbox(
      (sender, path, message) => this.#forward(sender, path, message),
      deps,
    )
  }

  update(sender: Component, path: string, message: Message): void {
    // of its own `::gone`: nobody waits for it
    if (path === RECEIPT) return
    this.#mailbox.post(sender, path, message)
  }

  /**
   * Gives `component` its id, `<controller>-<32 letters or digits>-<count>`, and returns it.
   * @throws SapwoodError `COMPONENT_REGISTERED` if it has one: an id is for life.
   */
  register(component: Component): string {
    if (component.id !== NO_ID) {
      throw new SapwoodError(
        'COMPONENT_REGISTERED',
        `${component.id} was registered before; register a new component`,
      )
    }
    component.id = `${this.id}-${this.#deps.random(32)}-${++this.#count}`
    this.#components.set(component.id, component)
    return component.id
  }

  get(id: string): Component | undefined {
    return this.#components.get(id)
  }

  /** Forgets a component, its names too, and tells it with `::gone`. False if it was not known. */
  unregister(component: Component): boolean {
    if (this.#components.get(component.id) !== component) return false
    this.#components.delete(component.id)
    for (const undo of this.#unname.get(component) ?? []) undo()
    this.update(this, GONE, jsonMessage(component.id))
    return true
  }

  /** Lets `component` be reached under `name`, together with others of that name. Returns its undo. */
  name(component: Component, name: string): () => void {
    const pool = this.#names.get(name) ?? new Set<Component>()
    this.#names.set(name, pool)
    pool.add(component)
    const undos = this.#unname.get(component) ?? new Set()
    this.#unname.set(component, undos)
    const undo = (): void => {
      if (!undos.delete(undo)) return
      if (undos.size === 0) this.#unname.delete(component)
      if (pool.delete(component) && pool.size === 0) this.#names.delete(name)
    }
    undos.add(undo)
    return undo
  }

  /** Everybody of that name. */
  named(name: string): ReadonlySet<Component> | undefined {
    return this.#names.get(name)
  }

  /** Has every update from now on forwarded to `component`, after those that are delegates. Returns its undo. */
  delegate(component: Component): () => void {
    // never changed in place: one that comes or goes during an update changes nothing for that update
    const entry = { component }
    this.#delegates = [...this.#delegates, entry]
    return () => {
      this.#delegates = this.#delegates.filter((other) => other !== entry)
    }
  }

  /** Runs `hook` at the start, or now if that was before. The same hook runs once however often it is added. */
  onStart(hook: () => void): void {
    if (this.#startHooks.has(hook)) return
    this.#startHooks.add(hook)
    if (this.#started) hook()
  }

  /** Runs `hook` at the stop, in the reverse order of adding. */
  onStop(hook: () => void): void {
    if (!this.#stopHooks.includes(hook)) this.#stopHooks.push(hook)
  }

  /** @throws what a hook threw, after all ran. */
  start(): void {
    if (this.#started) return
    this.#started = true
    // a copy: a hook that is added on the way runs when it is added
    callAll([...this.#startHooks])
  }

  /** @throws what a hook threw, after all ran. */
  stop(): void {
    callAll(this.#stopHooks.splice(0).reverse())
  }

  #forward(sender: Component, path: string, message: Message): void {
    for (const { component } of this.#delegates) {
      try {
        component.update(sender, path, message)
      } catch (thrown) {
        this.#deps.onThrow?.(thrown, component, path)
      }
    }
  }
}
