/**
 * What the line form needs, given by a hub: who a peer is, sessions, and a way in. `net` and `hub` do not know each
 * other; this is where they meet.
 * Invariant: a peer on this machine is trusted in `dev` only; a client certificate that was verified names its holder.
 */
import { certificatePrincipal, keyChecker, Portal } from '@sapwood/auth'
import type { Component, Fault, Message, Principal } from '@sapwood/core'
import {
  ANYONE,
  CONNECT,
  DISCONNECT,
  isControlPath,
  jsonMessage,
  pathFault,
  textOf,
} from '@sapwood/core'
import { DRAINING, isLoopbackAddress, LOCAL } from '@sapwood/http'
import type { Hub, Session } from '@sapwood/hub'
import { ERROR } from '@sapwood/hub'
import type { Connection, LineHost } from '@sapwood/net'
import { isPath } from '@sapwood/net'

export interface LineTrust {
  /** Who shows one of these is trusted. */
  readonly keys: readonly string[]
  /** Trust whoever is on this machine. */
  readonly dev: boolean
}

/** @example new LineIngress(lineHost(hub, { keys: ['s3cret'], dev: false })) */
export function lineHost(hub: Hub, { keys, dev }: LineTrust): LineHost<Session> {
  const portal = new Portal([keyChecker(keys)])
  return {
    wheel: hub.wheel,
    identify: (connection) => certified(connection) ?? (dev && isHere(connection) ? LOCAL : ANYONE),
    login(value, done) {
      portal.login({ kind: 'bearer', value }, (refused, principal) => {
        const { portal: others } = hub.options
        if (principal !== undefined || others === undefined) done(refused, principal)
        else others.login({ kind: 'bearer', value }, done)
      })
    },
    refusal: (address) => (hub.draining ? DRAINING : hub.sessions.full(address)),
    open: (principal, address) => hub.open({ principal, address, view: true }),
    promote(session, principal) {
      session.principal = principal
      // what was taken or named before is looked at with the new rights
      hub.resumed(session)
    },
    receive: (session, path, message, principal) => hub.receive(session, path, message, principal),
    publish: (sender, path, message) => publish(hub, sender, path, message),
    fault: (code) => hub.counters.fault(code),
    onFlushed: (run) => hub.outlet.onFlushed(run),
  }
}

function certified({ secure }: Connection): Principal | undefined {
  if (secure === undefined || !secure.authorized) return undefined
  return certificatePrincipal(secure.certificate?.subjectAltName)
}

function isHere({ remote }: Connection): boolean {
  return isPath(remote) || isLoopbackAddress(remote.host)
}

/** Publishes for somebody who has no session, and so nothing to subscribe. */
function publish(hub: Hub, sender: Component, path: string, message: Message): void {
  const fault = isControlPath(path)
    ? controlFault(path, message)
    : pathProblem(path, pathFault(path, hub.settings.path))
  if (fault === undefined) return hub.update(sender, path, message)
  hub.counters.fault(fault.code)
  sender.update(hub.controller, ERROR, jsonMessage(fault))
}

function controlFault(path: string, message: Message): Fault | undefined {
  const isForOthers = (path === CONNECT || path === DISCONNECT) && textOf(message).includes('->')
  if (isForOthers) return undefined
  const detail = `${path.slice(0, 64)} needs a session; say ::hello first, or come over TCP`
  return { code: 'PATH_CONTROL', detail, status: 400 }
}

function pathProblem(path: string, problem: string | undefined): Fault | undefined {
  if (problem === undefined) return undefined
  return { code: 'PATH_INVALID', detail: `the path "${path.slice(0, 64)}" ${problem}`, status: 400 }
}
