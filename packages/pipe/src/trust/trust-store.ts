/**
 * The trust set of a directory, kept up to date: a changed file is taken up by itself, and live links hear of it.
 * Invariant: there is always a whole set. What does not parse as a whole, or what is written just now, leaves the last
 * good one in force, and a lasting fault is told once.
 */
import type { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import type { Fault, Timed } from '@sapwood/core'
import { reasonOf, SapwoodError, Timer, Wheel } from '@sapwood/core'
import { nodeClock } from '@sapwood/net'
import { checkName } from '../pki/subject-names.ts'
import type { PeerRole } from './certificate-fault.ts'
import type { Identity } from './identity.ts'
import { checkIdentity, readIdentity } from './identity.ts'
import type { PeerExpectation } from './trust.ts'
import { Trust } from './trust.ts'
import type { FileTexts } from './trust-files.ts'
import { lookAt, readFiles, required } from './trust-files.ts'

export interface TrustStoreOptions {
  readonly dir: string
  /** Whose `NAME.crt.pem` and `NAME.key.pem` are this machine's own. */
  readonly name: string
  /** What this machine is on its links. A client has to bear its name; a listener is asked for one by its clients. */
  readonly role: PeerRole
  /** How often the files are looked at, in milliseconds. A change counts after the second look that sees it. */
  readonly poll?: number
  readonly wheel?: Wheel
  /** The wall clock, in milliseconds. */
  readonly now?: () => number
}

/** What became different. */
export interface TrustChange {
  /** The certificates of the CA: whoever leads to none of them any more goes, and ticket keys are made anew. */
  readonly authorities: boolean
  /** The revocation lists or the deny list. */
  readonly bans: boolean
  /** This machine's own certificate or key. */
  readonly identity: boolean
}

const POLL = 250
const CA = 'ca.crt.pem'
const CRL = 'crl.pem'
const DENY = 'deny'
const GONE = 'the last one counts until it is back; an empty deny bans nobody'

interface State {
  readonly texts: FileTexts
  readonly trust: Trust
  readonly identity: Identity
}

/**
 * @example
 * const store = await TrustStore.open({ dir: 'pki', name: 'server', role: 'server' })
 * store.onChange(() => { for (const link of links) if (store.checkPeer(link.certificate, …)) link.end() })
 */
export class TrustStore implements Timed {
  readonly #options: TrustStoreOptions
  readonly #files: readonly string[]
  readonly #wheel: Wheel
  readonly #ownsWheel: boolean
  readonly #timer: Timer = new Timer(this)
  readonly #changeListeners = new Set<(change: TrustChange) => void>()
  readonly #faultListeners = new Set<(fault: Fault) => void>()
  #state: State
  /** What the look before the last reading saw, and whether an earlier one had seen the same. */
  #seen: string
  #isSettled = false
  #looking: Promise<void> | undefined
  #isClosed = false

  private constructor(options: TrustStoreOptions, seen: string, state: State) {
    this.#options = options
    this.#files = filesOf(options.name)
    this.#ownsWheel = options.wheel === undefined
    this.#wheel = options.wheel ?? new Wheel(nodeClock)
    this.#seen = seen
    this.#state = state
    this.#wait()
  }

  /**
   * Reads the directory, and from then on looks after it.
   * @throws SapwoodError NAME_INVALID, FILE_MISSING, FILE_UNREADABLE, FILE_TOO_LARGE, CERTIFICATE_EXPIRED, CERTIFICATE_PURPOSE,
   * NAME_NOT_CERTIFIED for its own certificate, and what `Trust` and `readIdentity` throw.
   */
  static async open(options: TrustStoreOptions): Promise<TrustStore> {
    const files = filesOf(checkName(options.name))
    const seen = await lookAt(options.dir, files)
    const state = stateOf(await readFiles(options.dir, files), options)
    return new TrustStore(options, seen, state)
  }

  /** The set in force. */
  get trust(): Trust {
    return this.#state.trust
  }

  get identity(): Identity {
    return this.#state.identity
  }

  /** As `Trust.checkPeer`, by the set in force. */
  checkPeer(
    certificate: X509Certificate | undefined,
    expectation: PeerExpectation,
  ): Fault | undefined {
    return this.trust.checkPeer(certificate, expectation)
  }

  /** Hears of every set that takes force after this one; live links have to be checked again then. Returns its undo. */
  onChange(listener: (change: TrustChange) => void): () => void {
    return added(this.#changeListeners, listener)
  }

  /** Hears why a changed set was not taken up, once for each. Returns its undo. */
  onFault(listener: (fault: Fault) => void): () => void {
    return added(this.#faultListeners, listener)
  }

  /** Looks now, and takes up at once what it finds. */
  async reload(): Promise<void> {
    await this.#looking
    await this.#look(true)
  }

  /** Done when a look that is under way is over. */
  async settled(): Promise<void> {
    await this.#looking
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#wheel.clear(this.#timer)
    if (this.#ownsWheel) this.#wheel.close()
    await this.#looking
  }

  expired(): void {
    this.#looking = this.#look(false).finally(() => {
      this.#looking = undefined
      this.#wait()
    })
  }

  #wait(): void {
    if (!this.#isClosed) this.#wheel.set(this.#timer, this.#options.poll ?? POLL)
  }

  async #look(isForced: boolean): Promise<void> {
    const { dir } = this.#options
    const seen = await lookAt(dir, this.#files)
    const isSame = seen === this.#seen
    if (isSame && this.#isSettled && !isForced) return
    this.#seen = seen
    // two files are seldom written in one moment: what the next look still sees is meant
    this.#isSettled = isSame
    if (!isSame && !isForced) return
    let change: TrustChange | undefined
    try {
      const texts = await readFiles(dir, this.#files)
      if ((await lookAt(dir, this.#files)) !== seen) this.#isSettled = false
      else change = this.#take(texts)
    } catch (thrown) {
      this.#tell(faultOf(thrown))
    }
    if (change !== undefined) for (const listener of [...this.#changeListeners]) listener(change)
  }

  /** @returns what is different now, if anything is. */
  #take(texts: FileTexts): TrustChange | undefined {
    const before = this.#state.texts
    const isNew = (...files: readonly string[]): boolean =>
      files.some((file) => before[file] !== texts[file])
    if (this.#isClosed || !isNew(...this.#files)) return undefined
    for (const file of [CRL, DENY]) {
      // whoever it keeps out must not come in because somebody is about to write it anew
      if (before[file] !== undefined) required(texts, this.#options.dir, file, GONE)
    }
    const { name } = this.#options
    const identity = isNew(certOf(name), keyOf(name))
    // an own certificate that ran out meanwhile must not keep a ban from being heard of
    this.#state = identity
      ? stateOf(texts, this.#options, this.trust)
      : { ...this.#state, texts, trust: trustOf(texts, this.#options, this.trust) }
    return { authorities: isNew(CA), bans: isNew(CRL, DENY), identity }
  }

  #tell(fault: Fault): void {
    for (const listener of [...this.#faultListeners]) listener(fault)
  }
}

/** Reads the set of a directory once, to ask it about certificates. */
export async function readTrust(dir: string, now?: () => number): Promise<Trust> {
  return trustOf(await readFiles(dir, [CA, CRL, DENY]), { dir, ...(now && { now }) })
}

function filesOf(name: string): readonly string[] {
  return [CA, CRL, DENY, certOf(name), keyOf(name)]
}

function trustOf(
  texts: FileTexts,
  { dir, now }: Pick<TrustStoreOptions, 'dir' | 'now'>,
  before?: Trust,
): Trust {
  const ca = required(
    texts,
    dir,
    CA,
    'make a CA with sapwood pki init, or put its certificate there',
  )
  const own = { 'ca.crt.pem': ca, 'crl.pem': texts[CRL], deny: texts[DENY] }
  return new Trust(own, { dir, before, ...(now && { now }) })
}

function stateOf(texts: FileTexts, options: TrustStoreOptions, before?: Trust): State {
  const { dir, name, role, now } = options
  const trust = trustOf(texts, options, before)
  const next = `make it with sapwood pki issue ${name}, or put it there`
  const cert = required(texts, dir, certOf(name), next)
  const key = required(texts, dir, keyOf(name), next)
  const files = { cert: join(dir, certOf(name)), key: join(dir, keyOf(name)) }
  const identity = readIdentity(cert, key, files)
  checkIdentity(identity, role, name, now?.() ?? Date.now())
  return { texts, trust, identity }
}

function certOf(name: string): string {
  return `${name}.crt.pem`
}

function keyOf(name: string): string {
  return `${name}.key.pem`
}

function faultOf(thrown: unknown): Fault {
  if (thrown instanceof SapwoodError) return { code: thrown.code, detail: thrown.detail }
  return { code: 'FILE_UNREADABLE', detail: reasonOf(thrown) }
}

/** @returns its undo. */
function added<Listener>(listeners: Set<Listener>, listener: Listener): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}
