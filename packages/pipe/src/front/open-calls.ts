/** What is open on a connection: with pipelining there may be several requests, and Node tells only one of its end. */
import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Fault } from '@sapwood/core'

/** What ends with its caller's connection. */
export interface OpenCall {
  left(): void
  /** It cannot go on: the caller is told why, where nothing of an answer is written yet. */
  misfit(fault: Fault): void
}

const CALLS: unique symbol = Symbol('calls')
type Connection = Socket & { [CALLS]?: Set<OpenCall> }

/** `left` of what is added will be called when the connection is gone. */
export function callsOn(socket: Connection): Set<OpenCall> {
  const known = socket[CALLS]
  if (known !== undefined) return known
  const calls = new Set<OpenCall>()
  socket[CALLS] = calls
  socket.on('close', onClose)
  return calls
}

/** Ends what is open on a connection with `fault`. */
export function endCalls(socket: Connection, fault: Fault): void {
  for (const call of [...(socket[CALLS] ?? [])]) call.misfit(fault)
}

function onClose(this: Connection): void {
  for (const call of [...(this[CALLS] ?? [])]) call.left()
}

/** Ends a connection so that its other end cannot take it for a good end. */
export function resetConnection(socket: Socket): void {
  // inside TLS an end that was not said is no good end, and Node resets none
  const isPlain = socket instanceof Socket && !(socket instanceof TLSSocket)
  if (isPlain && socket.remoteFamily !== undefined) socket.resetAndDestroy()
  else socket.destroy()
}
