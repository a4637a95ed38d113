/** A pipe to a server of this machine: what is asked at one end is answered by a real server at the other. */
import { mkdtempSync, rmSync } from 'node:fs'
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo, createServer as createTcp, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Wheel } from '@sapwood/core'
import { nodeClock } from '@sapwood/net'
import type { Answerer, AnswererOptions } from '@sapwood/pipe'
import { answerer, targetAnswerer } from '@sapwood/pipe'
import type { FakeClock } from '@sapwood/testkit'
import type { RequestHead } from '@sapwood/wire'
import { Asked, ExchangePair } from './exchange-pair.ts'

export interface Teardown {
  teardown(run: () => unknown): unknown
}

export interface Stand {
  readonly pair: ExchangePair
  readonly port: number
  /** Connections that the target has. */
  readonly sockets: Set<Socket>
}

export type Options = Partial<AnswererOptions> & { clock?: FakeClock; window?: number }

/** A pipe to a server that answers as `listener` does. */
export async function stand(
  t: Teardown,
  listener: RequestListener,
  options: Options = {},
): Promise<Stand> {
  return standOf(t, createServer(listener), options)
}

export async function standOf(
  t: Teardown,
  server: Server | ReturnType<typeof createTcp>,
  { clock, window, ...options }: Options = {},
): Promise<Stand> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const wheel = new Wheel(clock ?? nodeClock)
  const target = answerer({ role: 'client', target: `http://127.0.0.1:${port}`, wheel, ...options })
  t.teardown(() => {
    target.close()
    wheel.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const limits = window === undefined ? {} : { streamWindow: window, streamWindowMost: window }
  return { pair: new ExchangePair(target, limits), port, sockets }
}

/** What answers from a server on a Unix socket. */
export async function unixStand(
  t: Teardown,
  listener: RequestListener,
): Promise<{ target: Answerer; server: Server; wheel: Wheel }> {
  const directory = mkdtempSync(join(tmpdir(), 'target-'))
  const path = join(directory, 'socket')
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(path, resolve))
  const wheel = new Wheel(nodeClock)
  const target = targetAnswerer(`unix:${path}`, { wheel })
  t.teardown(() => {
    target.close()
    wheel.close()
    server.closeAllConnections()
    server.close()
    rmSync(directory, { recursive: true })
  })
  return { target, server, wheel }
}

/** A request whose body comes later. */
export function opened(pair: ExchangePair, head: Partial<RequestHead> & { target: string }): Asked {
  return new Asked(pair, { method: 'POST', ...head }, undefined, true)
}

export async function still(value: () => number): Promise<number> {
  let before = -1
  while (before !== value()) {
    before = value()
    await new Promise((resolve) => setTimeout(resolve, 30))
  }
  return before
}

export function echoHead(request: IncomingMessage, response: ServerResponse): void {
  const { method, url, rawHeaders } = request
  const body: Buffer[] = []
  request.on('data', (chunk: Buffer) => body.push(chunk))
  request.on('end', () => {
    response.setHeader('Content-Type', 'application/json')
    const text = Buffer.concat(body).toString('latin1')
    const { rawTrailers } = request
    response.end(JSON.stringify({ method, url, rawHeaders, text, rawTrailers }))
  })
}

/** What a target saw as headers. */
export function seen(asked: Asked): Record<string, string[]> {
  const headers: Record<string, string[]> = {}
  const raw: string[] = asked.json.rawHeaders
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] as string).toLowerCase()
    headers[name] = [...(headers[name] ?? []), raw[i + 1] as string]
  }
  return headers
}
