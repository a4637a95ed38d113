/** Clients on each transport behind one small face: what comes in, sending, leaving in order, being cut off. */
import type { IncomingMessage } from 'node:http'
import { request as httpRequest } from 'node:http'
import type { Answer, Got, Stand } from './support.ts'
import { call, Inflow, read, StreamClient, WsClient } from './support.ts'

export interface AnyClient {
  readonly id: string
  readonly token: string
  readonly frames: Inflow<Got>
  send(...frames: readonly object[]): Promise<unknown>
  /** Is cut off without a word. */
  cut(): void
}

export const KINDS = ['ws', 'sse', 'poll'] as const
export type Kind = (typeof KINDS)[number]

/** A client of a session: a new one, or the one of `token`. */
export async function anyClient(stand: Stand, kind: Kind, token = 'new'): Promise<AnyClient> {
  if (kind === 'ws') {
    const client = new WsClient(stand)
    const { id, resume } = (await client.hello(token === 'new' ? {} : { resume: token })).message
    return {
      id,
      token: resume,
      frames: client.frames,
      send: async (...frames) => client.send(...frames),
      cut: () => client.socket.terminate(),
    }
  }
  if (kind === 'sse') {
    const client = await StreamClient.open(stand, `/events/${token}`)
    const { id, resume } = (await client.path('::hello')).message
    const upstream = new Upstream(stand, resume)
    return {
      id,
      token: resume,
      frames: client.frames,
      send: (...frames) => upstream.send(frames),
      cut: () => client.close(),
    }
  }
  const client = new PollClient(stand)
  await client.start(token === 'new' ? undefined : `${token}/0`)
  const upstream = new Upstream(stand, client.token)
  return {
    get id() {
      return client.id
    },
    get token() {
      return client.token
    },
    frames: client.frames,
    send: (...frames) => upstream.send(frames),
    cut: () => client.stop(),
  }
}

/** `POST /session/<token>/<n>`, one after the other. */
export class Upstream {
  readonly #stand: Stand
  readonly #token: string
  #number = 0
  #last: Promise<unknown> = Promise.resolve()

  constructor(stand: Stand, token: string) {
    this.#stand = stand
    this.#token = token
  }

  send(frames: readonly object[]): Promise<Answer> {
    const number = ++this.#number
    const sent = this.#last.then(() =>
      call(this.#stand, `/session/${this.#token}/${number}`, { body: JSON.stringify(frames) }),
    )
    this.#last = sent
    return sent
  }
}

export interface Polled {
  readonly id: string
  readonly updates: readonly Got[]
  readonly at: string
  readonly reconnectWith: string
}

/** Polls without an end. */
export class PollClient {
  readonly frames = new Inflow<Got>()
  readonly answers: Polled[] = []
  id = ''
  token = ''
  reconnectWith = ''
  at = ''
  readonly #stand: Stand
  #stopped = false
  #request: ReturnType<typeof httpRequest> | undefined

  constructor(stand: Stand) {
    this.#stand = stand
  }

  /** The first poll, after which it goes on by itself. */
  async start(reconnectWith?: string, query = ''): Promise<void> {
    const target = reconnectWith === undefined ? '/poll' : `/poll/${reconnectWith}`
    if (reconnectWith === undefined) this.#took(await poll(this.#stand, target + query))
    else {
      this.reconnectWith = reconnectWith
      this.token = reconnectWith.split('/')[0] ?? ''
    }
    void this.#loop(reconnectWith === undefined ? '' : query)
  }

  stop(): void {
    this.#stopped = true
    this.#request?.destroy()
  }

  async #loop(query: string): Promise<void> {
    let first = query
    while (!this.#stopped) {
      try {
        this.#took(await this.#poll(`/poll/${this.reconnectWith}${first}`))
        first = ''
      } catch {
        break
      }
    }
    this.frames.end()
  }

  async #poll(path: string): Promise<Polled> {
    const { port } = this.#stand
    const request = httpRequest({ host: '127.0.0.1', port, path, agent: false })
    this.#request = request
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request.on('response', resolve)
      request.on('error', reject)
      request.end()
    })
    const answer = await read(response)
    if (answer.status !== 200) throw new Error(answer.text)
    return answer.json
  }

  #took(answer: Polled): void {
    this.id = answer.id
    this.reconnectWith = answer.reconnectWith
    this.token = answer.reconnectWith.split('/')[0] ?? ''
    this.at = answer.at
    this.answers.push(answer)
    this.frames.add(...answer.updates)
  }
}

/** One poll. */
export async function poll(stand: Stand, target: string): Promise<Polled> {
  const answer = await call(stand, target)
  if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.text}`)
  return answer.json
}

/** A WebSocket that follows these patterns already. */
export async function subscriber(stand: Stand, ...patterns: string[]): Promise<WsClient> {
  const client = new WsClient(stand)
  await client.hello()
  await client.subscribe(...patterns)
  return client
}
