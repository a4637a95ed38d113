/**
 * The back end's side (CN-01): publishes, has clients subscribed after its own check of rights (DB-22) and asks
 * them, all by HTTP with a key.
 * Invariant: what is published has an id, so it can be sent again after an accident and is taken once.
 */
/// <reference lib="esnext.disposable" preserve="true" />
import { type Fault, LONGEST_WAIT, pathFault, SapwoodError } from '@sapwood/core'
import { answerOf, askTarget, bodyOf } from './ask-by-http.ts'
import type { Answer, AskOptions } from './asking.ts'
import { frameText, typeOf } from './frame.ts'
import { HubRequests } from './hub-requests.ts'
import { hubUrl } from './hub-url.ts'
import type { AnyPaths, KnownPath, MessageOn } from './paths.ts'
import { type Platform, thisPlatform } from './platform.ts'
import type { Receipt } from './publishing.ts'

export interface PublisherOptions {
  /** Where the hub is. */
  readonly url: string
  /** A key of the hub's; in `dev` none is needed on the same machine. */
  readonly key?: string | undefined
  /** Milliseconds in which a request is repeated until the hub takes it. 10 s. */
  readonly timeout?: number
}

export interface UpdateOptions {
  /** Media type of a text, or of bytes. JSON where it is not said. */
  readonly type?: string
  /** By which the hub knows a repeat; made up where it is not said. */
  readonly id?: string
  /** Under a `conflate` policy the newest of a key replaces the older ones. */
  readonly key?: string
  /** The id of the client that this comes from: its own copy is marked. */
  readonly origin?: string
  /** With `origin`: that client gets no copy. */
  readonly exclude?: boolean
}

/** One update of several. */
export interface Item<Path = string, Message = unknown> extends UpdateOptions {
  readonly path: Path
  readonly message: Message
}

export interface PublisherAskOptions extends AskOptions {
  /** Milliseconds to wait for a client that is known but not connected, a day at most. The hub's `ask.wait`. */
  readonly wait?: number
}

/** Characters of updates that go in one request. */
const BATCH = 256 * 1024
const TIMEOUT = 10_000
/** What a hub waits for where nobody said it: `ask.timeout` and `ask.wait`, in milliseconds. */
const USUAL = { timeout: 30_000, wait: 20_000 }
/** What the network and a busy hub may add to that, and a hub with somewhat longer limits. */
const SLACK = 60_000

export class Publisher<Paths = AnyPaths> {
  readonly #requests: HubRequests
  readonly #id: () => string

  constructor({ url, key, timeout = TIMEOUT }: PublisherOptions, platform: Platform) {
    const base = hubUrl(url)
    // localhost:8787 is a URL, too, of the scheme localhost
    if (!/^https?:/.test(base)) throw new TypeError(`"${url}" is no http:// or https:// address`)
    this.#requests = new HubRequests({ ...platform, url: base, key, timeout })
    this.#id = platform.id
  }

  /**
   * Publishes.
   * @throws (as a rejection) SapwoodError `PATH_INVALID`, `CREDENTIAL_INVALID`, `NOT_ALLOWED` and others of the
   *   hub's; `HUB_UNREACHABLE`; TypeError for what JSON cannot say.
   * @example await back.update('orders/42', { state: 'paid' })
   */
  async update<const Path extends string>(
    path: Path & KnownPath<Paths, Path>,
    message: MessageOn<Paths, Path>,
    options: UpdateOptions = {},
  ): Promise<Receipt> {
    const frame = this.#frame({ ...options, path, message })
    return receiptOf(await this.#requests.post('/update', frame))
  }

  /**
   * Publishes several, in order. They are checked together: if one cannot be published none is, as far as they go
   * in one request of 256 Ki characters.
   * @returns their receipts in the same order.
   * @throws as `update`; what was refused one by one is the first refusal.
   */
  async updates<const Path extends string>(
    items: Iterable<Item<Path & KnownPath<Paths, Path>, MessageOn<Paths, Path>>>,
  ): Promise<Receipt[]> {
    const receipts: Receipt[] = []
    for (const batch of batches(Array.from(items, (item) => this.#frame(item)))) {
      const answers = (await this.#requests.post('/update', `[${batch.join(',')}]`)) as unknown[]
      receipts.push(...answers.map(receiptOf))
    }
    return receipts
  }

  /**
   * Subscribes a client (DB-22). The application has checked that it may.
   *
   * @param id the client's `id`.
   * @param options.after the client gets what came since that position.
   * @throws (as a rejection) SapwoodError `CLIENT_UNKNOWN`, `PATTERN_INVALID` and others of the hub's.
   * @example await back.connect(id, ['orders/42'])
   */
  async connect(
    id: string,
    patterns: readonly string[],
    { after }: { readonly after?: string } = {},
  ): Promise<void> {
    const query = after === undefined ? '' : `?${new URLSearchParams({ after })}`
    await this.#requests.post(
      `/connect/${encodeURIComponent(id)}${query}`,
      JSON.stringify(patterns),
    )
  }

  /** Ends subscriptions of a client, and the right to take them again. */
  async disconnect(id: string, patterns: readonly string[]): Promise<void> {
    await this.#requests.post(`/disconnect/${encodeURIComponent(id)}`, JSON.stringify(patterns))
  }

  /**
   * Asks a client.
   *
   * @param path `@name/noun`, or `@` and an id.
   * @throws (as a rejection) SapwoodError as `Client.ask`; `HUB_UNREACHABLE` also a minute after the answer should
   *   have come: where the hub's own limits are longer than 30 s and 20 s, say `timeout` and `wait`.
   * @example const { message } = await back.ask('@fileserver/cat', { args: ['a', 'b'] })
   */
  async ask(path: string, options: PublisherAskOptions = {}): Promise<Answer> {
    const { verb = 'GET', args, query, message, type, signal } = options
    const headers: Record<string, string> = {}
    let limit = SLACK
    for (const name of ['timeout', 'wait'] as const) {
      const ms = Math.min(options[name] ?? USUAL[name], LONGEST_WAIT)
      if (options[name] !== undefined) headers[`sapwood-${name}`] = `${ms}ms`
      limit += ms
    }
    const init: RequestInit = { method: verb, headers }
    if (message !== undefined) {
      headers['content-type'] = typeOf({ path, message, type })
      init.body = bodyOf(message, type)
    }
    return this.#requests.send(askTarget(path, args, query), init, limit, answerOf, signal)
  }

  /** Gives up what is under way. */
  async close(): Promise<void> {
    this.#requests.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #frame(item: Item): string {
    const fault = pathFault(item.path)
    if (fault !== undefined) throw new SapwoodError('PATH_INVALID', `"${item.path}" ${fault}`)
    return frameText({ id: this.#id(), ...item })
  }
}

/**
 * A publisher for back ends. It holds no connection.
 *
 * @typeParam Paths a map of patterns to the type of their messages.
 * @throws TypeError for what is no URL of HTTP.
 * @example
 * const back = publisher({ url: 'http://127.0.0.1:8787', key: process.env.SAPWOOD_KEY })
 * await back.update('orders/42', { state: 'paid' })
 */
export function publisher<Paths = AnyPaths>(
  options: PublisherOptions,
  platform: Platform = thisPlatform(),
): Publisher<Paths> {
  return new Publisher(options, platform)
}

/** A receipt as the hub answered it. @throws SapwoodError if it is a refusal. */
function receiptOf(answer: unknown): Receipt {
  const { code, detail = '', status = 400 } = answer as Partial<Fault>
  if (code !== undefined) throw new SapwoodError(code, detail, { status })
  return answer as Receipt
}

/** Frames in groups, each within the size of a request; a larger frame goes alone. */
function batches(frames: readonly string[]): string[][] {
  const groups: string[][] = []
  let size = BATCH
  for (const frame of frames) {
    if (size + frame.length > BATCH) {
      groups.push([])
      size = 0
    }
    groups.at(-1)?.push(frame)
    size += frame.length
  }
  return groups
}
