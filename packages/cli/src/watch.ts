/**
 * Watches patterns through a client: each message becomes a line on stdout, everything that went wrong one on stderr.
 * Invariant: a message is printed once, however many of the patterns it matches.
 */
import type { Client, Received } from '@sapwood/client'
import { SapwoodError } from '@sapwood/core'
import { failure } from './failure.ts'
import type { Surroundings } from './surroundings.ts'

export interface WatchOptions {
  /** Without repetitions. */
  readonly patterns: readonly string[]
  /** The JSON object of the protocol instead of `path; message`. */
  readonly json: boolean
  /** Ends after so many messages. */
  readonly count: number
  /** Where the hub is, for what is said about it. */
  readonly url: string
}

/**
 * Runs until `count` is reached or a signal says stop.
 * @throws SapwoodError when nothing is left to watch: every pattern was refused, or the hub sent the client away.
 */
export async function watch(
  client: Client,
  surroundings: Surroundings,
  options: WatchOptions,
): Promise<void> {
  const undo: (() => void)[] = []
  try {
    await new Promise<void>((resolve, reject) => {
      undo.push(
        ...stopped(surroundings, resolve),
        ...printed(client, surroundings, options, resolve),
        ...told(client, surroundings, options, reject),
      )
    })
  } finally {
    for (const each of undo) each()
  }
}

type Undo = () => void

function stopped(surroundings: Surroundings, resolve: () => void): Undo[] {
  return (['SIGINT', 'SIGTERM'] as const).map((signal) => {
    surroundings.on(signal, resolve)
    return () => surroundings.off(signal, resolve)
  })
}

function printed(
  client: Client,
  { stdout }: Surroundings,
  { patterns, json, count }: WatchOptions,
  resolve: () => void,
): Undo[] {
  let left = count
  let last: Received | undefined
  const print = (message: unknown, update: Received): void => {
    // the same object comes once for each pattern that it matches
    if (update === last || left === 0) return
    last = update
    stdout.write(`${json ? frameOf(message, update) : lineOf(message, update)}\n`)
    if (--left === 0) resolve()
  }
  return patterns.map((pattern) => client.subscribe(pattern, print))
}

function told(
  client: Client,
  { stderr }: Surroundings,
  { patterns, url }: WatchOptions,
  reject: (thrown: SapwoodError) => void,
): Undo[] {
  let isBack = false
  const refused = new Set<string>()
  return [
    client.on('gap', ({ reason, after, at }) => {
      stderr.write(`gap: messages between ${after} and ${at} may be missing (${reason})\n`)
    }),
    client.on('error', ({ code, detail, pattern }) => {
      if (pattern !== undefined && patterns.includes(pattern)) refused.add(pattern)
      if (refused.size === patterns.length) reject(new SapwoodError(code, detail))
      else stderr.write(`sapwood: ${code}: ${detail}\n`)
    }),
    client.on('state', ({ state, code = '', detail = '', retryIn = 0 }) => {
      if (state === 'connected') {
        if (isBack) stderr.write('connected again\n')
        isBack = true
      } else if (state === 'disconnected') {
        const seconds = Math.ceil(retryIn / 1000)
        stderr.write(`not connected (${code}: ${detail}); trying again in ${seconds} s\n`)
      } else if (state === 'closed') {
        reject(
          failure('HUB_REFUSED', `the hub at ${url} sent us away: ${code}: ${detail}`, 'try again'),
        )
      }
    }),
  ]
}

/** As the line form has it: JSON as compact text, any other text on one line. */
function lineOf(message: unknown, { path, type }: Received): string {
  if (message instanceof Uint8Array) return `${path}; <${message.byteLength} bytes>`
  const text = type === undefined ? JSON.stringify(message) : String(message)
  return `${path}; ${text.replace(/[\r\n]+/g, ' ')}`
}

/** The frame as the protocol has it. */
function frameOf(message: unknown, { path, ...said }: Received): string {
  if (!(message instanceof Uint8Array)) return JSON.stringify({ path, ...said, message })
  const text = Buffer.from(message).toString('base64')
  return JSON.stringify({ path, ...said, message: text, encoding: 'base64' })
}
