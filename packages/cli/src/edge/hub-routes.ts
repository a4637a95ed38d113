/**
 * What a hub serves on one of its own ports: TLS, pipes and clear text beside each other, and lines beside HTTP.
 * Invariant: what is said inside TLS goes where it would go outside.
 */
import type { Choice, Target } from '@sapwood/net'
import { tlsTarget } from '@sapwood/net'
import { http, line, pipe, tls } from '@sapwood/wire'
import type { TlsPlan } from '../tls-plan.ts'

/** Lines and HTTP on one port. A client that says nothing at all is let go when the time is up. */
export function hubAndLines(hub: Target, lines: Target, timeout: number): Choice {
  const otherwise: Target = {
    take(socket, replay, board) {
      if (replay.length === 0) socket.destroy()
      // it knows best what to say to a broken request
      else hub.take(socket, replay, board)
    },
  }
  const routes = [
    { match: http(), to: hub },
    { match: line, to: lines },
  ]
  return { routes, otherwise, sniff: { timeout } }
}

/** TLS before whatever `inside` is; with no plan, just that. */
export function secured(plan: TlsPlan | undefined, inside: Choice): Choice {
  if (plan === undefined) return inside
  const to = tlsTarget({ ...plan, alpn: ['http/1.1'] }, inside)
  return { ...inside, routes: [{ match: tls(), to }, ...inside.routes] }
}

/** Pipes before whatever `inside` is: their TLS is their own, with its own certificate. */
export function piped(target: Target | undefined, inside: Choice): Choice {
  if (target === undefined) return inside
  return { ...inside, routes: [{ match: pipe, to: target }, ...inside.routes] }
}
