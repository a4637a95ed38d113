/** What the benchmark must know of a server to measure it. Scenarios speak of paths and messages only. */
import { fileURLToPath } from 'node:url'
import type { Mark } from './frame-counter.ts'

/** What a connection does until its subscriptions stand. */
export interface Script {
  /** Target and, where needed, subprotocol of the WebSocket handshake. */
  readonly target: string
  readonly protocol?: string
  /** Each text is sent once the answer to the one before came. */
  readonly steps: readonly Step[]
}

export interface Step {
  /** Text frames; none to wait for what the server says first. */
  readonly send: readonly string[]
  /** What the frame that completes this step contains; undefined not to wait for anything. */
  readonly until?: string
}

export interface Item {
  readonly path: string
  /** JSON. */
  readonly message: string
}

export interface Peer {
  readonly name: string
  /** Arguments of `node` that start it. It prints one JSON line with `"msg":"ready"` and its `url`. */
  readonly start: readonly string[]
  readonly mark: Mark
  subscribe(paths: readonly string[]): Script
  /** The request that publishes one message. */
  publish(item: Item): string
  /** The request that publishes many. */
  publishMany(items: readonly Item[]): string
}

/** An HTTP request as one text; everything here is ASCII. */
export function postRequest(target: string, type: string, body: string): string {
  return `POST ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`
}

/** The file of a program of this benchmark, or of the repository. */
export function programFile(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url))
}
