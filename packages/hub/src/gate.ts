/**
 * Who may do what: principal × action × pattern, deny by default. It stands in front of history and dispatcher,
 * so that nothing a client sends has an effect before it was allowed.
 * Invariant: a subscription is allowed only if one rule, or one grant of the back end, covers every path that it
 * could match; nobody but its owner reads an inbox.
 */
import type { Component, Message, Principal } from '@sapwood/core'
import {
  CONNECT,
  Code,
  covers,
  DISCONNECT,
  ERROR,
  INBOX,
  inboxOwner,
  isControlPath,
  isDirectPath,
  jsonMessage,
  NO_ID,
  outcome,
  parseConnection,
  SYSTEM,
} from '@sapwood/core'
import { whoMeans } from './who.ts'

export type Action = 'publish' | 'subscribe' | 'ask' | 'answer' | 'control'

export interface Rule {
  /** `anyone`, or a principal's id; `*` in it stands for anything, e.g. `key:*`. */
  readonly who: string
  readonly may: readonly Action[]
  /** A pattern; `**` covers neither control nor direct paths. */
  readonly path: string
}

/** Somebody whom the back end may subscribe to what their own rights do not cover. */
export interface Grantee extends Component {
  grant(pattern: string): void
  revoke(pattern: string): void
  granted(pattern: string): boolean
}

export interface GateDeps {
  /** Finds the component that `id->pattern` names. */
  readonly find: (id: string) => Component | undefined
  /** Where an answer to a refused question goes. */
  readonly reply: (path: string, answer: Message) => void
  readonly onRefused?: (principal: Principal, action: Action, path: string) => void
  /** A grant was taken back: what somebody took because of it is to go with it. */
  readonly onRevoked?: (grantee: Grantee) => void
}

export class Gate implements Component {
  id: string = NO_ID
  readonly principal: Principal = SYSTEM
  readonly #deps: GateDeps
  readonly #next: Component
  readonly #rules: readonly (Rule & { readonly means: (principal: Principal) => boolean })[]

  constructor(next: Component, rules: readonly Rule[], deps: GateDeps) {
    this.#next = next
    this.#rules = rules.map((rule) => ({ ...rule, means: whoMeans(rule.who) }))
    this.#deps = deps
  }

  /** May `principal` do that on every path that `pattern` matches? */
  allows(principal: Principal, action: Action, pattern: string): boolean {
    if (principal.trusted) return true
    for (const { means, may, path } of this.#rules) {
      if (may.includes(action) && covers(path, pattern) && means(principal)) return true
    }
    return false
  }

  /** May `component` follow everything that `pattern` matches, by its rights or by a grant? */
  maySubscribe(component: Component, pattern: string): boolean {
    const owner = inboxOwner(pattern)
    if (owner !== undefined) return owner === component.id
    return (
      this.allows(component.principal, 'subscribe', pattern) ||
      (isGrantee(component) && component.granted(pattern))
    )
  }

  update(sender: Component, path: string, message: Message): void {
    if (isControlPath(path)) this.#control(sender, path, message)
    else {
      const action = isDirectPath(path) ? 'ask' : 'publish'
      if (this.allows(sender.principal, action, path)) this.#next.update(sender, path, message)
      else this.#refuse(sender, action, path, path, message)
    }
  }

  #control(sender: Component, path: string, message: Message): void {
    // who knows a reply path was asked on it: the path itself is the permission
    if (path.startsWith(`${INBOX}/`)) return this.#next.update(sender, path, message)
    const named = path === CONNECT || path === DISCONNECT ? parseConnection(message) : undefined
    const own = named !== undefined && named.id === sender.id
    if (!this.#permits(sender, path, named?.pattern, own)) {
      return this.#refuse(
        sender,
        own ? 'subscribe' : 'control',
        path,
        named?.pattern ?? path,
        message,
      )
    }
    const grantee = named === undefined || own ? undefined : this.#grantee(named.id)
    if (named === undefined || grantee === undefined) this.#next.update(sender, path, message)
    else if (path === CONNECT) {
      grantee.grant(named.pattern)
      this.#next.update(sender, path, message)
    } else {
      grantee.revoke(named.pattern)
      this.#next.update(sender, path, message)
      this.#deps.onRevoked?.(grantee)
    }
  }

  #permits(sender: Component, path: string, pattern: string | undefined, own: boolean): boolean {
    if (!own) return this.allows(sender.principal, 'control', path)
    return path === DISCONNECT || this.maySubscribe(sender, pattern as string)
  }

  #grantee(id: string): Grantee | undefined {
    const target = this.#deps.find(id)
    return target !== undefined && isGrantee(target) ? target : undefined
  }

  #refuse(
    sender: Component,
    action: Action,
    path: string,
    pattern: string,
    message: Message,
  ): void {
    this.#deps.onRefused?.(sender.principal, action, path)
    const detail = `${sender.principal.id} may not ${action} ${pattern}; a rule or the back end must allow it`
    if (message.meta.reply !== undefined) {
      this.#deps.reply(message.meta.reply, outcome(Code.refused, 403, 'NOT_ALLOWED', detail))
    } else {
      const told = { code: 'NOT_ALLOWED', detail, pattern, status: 403 }
      sender.update(this, ERROR, jsonMessage(told))
    }
  }
}

function isGrantee(component: Component): component is Grantee {
  return typeof (component as Partial<Grantee>).granted === 'function'
}
