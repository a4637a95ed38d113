/**
 * Peers of another kind beside the sessions of a hub: those of a pipe. They are asked at `/client/<name>/…` too, by requests
 * that are handed on whole, so that bodies of any size, events and other protocols stream both ways.
 * Invariant: nothing is handed on before the gate has allowed it, nor twice.
 */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Component, Fault, Principal } from '@sapwood/core'
import { HUB } from '@sapwood/hub'
import type { Ask } from '@sapwood/wire'
import { findHandler } from '@sapwood/wire'
import type { AnyCall, HttpContext } from './call.ts'
import { forCaller } from './call.ts'
import type { HttpRequest, HttpResponse } from './http-message.ts'
import { fault } from './problem.ts'
import type { WholeRequest } from './whole/whole-request.ts'

/** What is known of a request that is handed on. */
export interface HandedRequest {
  readonly target: Pick<Ask, 'name' | 'tail' | 'wait' | 'timeout'>
  /** Whether `Authorization` was for the hub: then it stays here. */
  readonly isCredential: boolean
}

/** A process of a peer, or a name that was here and is away. */
export interface ListedPeer {
  readonly name: string
  readonly connected: boolean
  /** Put to it and not answered yet. */
  readonly questions: number
}

/** Hands requests on. What `take` and `upgrade` return is why they did not take the request. */
export interface Gateway {
  /** Answers a request of which nobody has read the body. */
  take(
    request: IncomingMessage | WholeRequest,
    response: HttpResponse,
    handed: HandedRequest,
  ): Fault | undefined
  /** The same for a connection that is to speak another protocol. @param first what came behind the head. */
  upgrade(
    request: HttpRequest,
    socket: Socket,
    first: Uint8Array,
    handed: HandedRequest,
  ): Fault | undefined
  /** The server ends: whoever waits on this connection for an answer is told so now. */
  stopped(socket: Socket): void
}

/** Asks peers. */
export interface PeerGateway extends Gateway {
  /** Is this the name of a peer, there or away? */
  has(name: string): boolean
  list(): readonly ListedPeer[]
  /** What was counted, in the Prometheus text form. */
  metrics(): string
}

/** Asks the server of this machine that answers for the hub itself. */
export interface TargetGateway extends Gateway {
  /** Takes the questions of sessions. */
  readonly component: Component
}

/** A question, and whom it is handed to; nobody where a component of the hub answers. */
export interface Handed {
  readonly asked: Ask
  readonly gateway: Gateway | undefined
}

/** Whom the request of a question is handed to. */
export function handedTo(
  { options }: Pick<HttpContext, 'options'>,
  asked: Ask,
  verb = 'GET',
): Handed {
  const { peers, target, handlers = {} } = options
  const { name, noun, tail } = asked
  if (peers?.has(name)) return { asked, gateway: peers }
  const isForTarget = name === HUB && target !== undefined
  if (!isForTarget || findHandler(handlers, verb, noun) !== undefined) {
    return { asked, gateway: undefined }
  }
  // behind `//` are arguments for functions; a server may read it as one slash
  const isDoubled = /^[^?]*\/\//.test(tail)
  return { asked: isDoubled ? { ...asked, path: `@${HUB}/**` } : asked, gateway: target }
}

/** Why `principal` may not ask that; undefined if it may. */
export function askRefusal(
  { hub }: Pick<HttpContext, 'hub'>,
  principal: Principal,
  { path }: Ask,
): Fault | undefined {
  if (hub.gate.allows(principal, 'ask', path)) return undefined
  const detail = `${principal.id} may not ask ${path}; send a key or let a rule allow it`
  return forCaller(fault('NOT_ALLOWED', detail, 403), principal)
}

/** Hands a request on. */
export function handOn(
  call: AnyCall<IncomingMessage | WholeRequest>,
  gateway: Gateway,
  target: Ask,
): void {
  const refused = gateway.take(call.request, call.response, { target, isCredential: true })
  if (refused !== undefined) call.problem(refused)
}
