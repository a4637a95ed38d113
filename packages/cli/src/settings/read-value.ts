/**
 * Turns what one source said of a setting into its value. One reader serves the file, the environment and the flags:
 * the last two bring text only, so a list may also be text with commas, or a JSON array.
 * Invariant: a value that is returned is within its bounds and safe to hand to the hub.
 */
import { BlockList, isIP } from 'node:net'
import { isPlainPath, nameFault, patternFault, SapwoodError } from '@sapwood/core'
import type { EdgeWhen } from '@sapwood/wire'
import { destinationFault, edgeMatcher, parseDuration, parseSize, rewriteHost } from '@sapwood/wire'
import { edgeTarget } from '../edge/edge-target.ts'
import { hostOfAddress, isAddress } from './address-text.ts'
import type {
  BridgeRow,
  KindName,
  PeerRuleRow,
  PolicyRow,
  RouteRow,
  RuleRow,
  SniffLimits,
  Traits,
  ValueOfKind,
} from './kinds.ts'
import { HINTS, LOG_LEVELS, SNIFF_DEFAULT } from './kinds.ts'

/** The value, or what is wrong with what was said, as the rest of a sentence that begins with the setting. */
export type Reading<Value> = { readonly value: Value } | { readonly fault: string }

type Reader<Value> = (raw: unknown, traits: Traits) => Reading<Value>

/** What a timer can wait: 24 days. */
const LONGEST = 24 * 24 * 3_600_000

const WHO = /^(anyone|signed-in|local|(user|key|token|cert|pipe):.+|.*\*.*)$/

const READERS: { readonly [Name in KindName]: Reader<ValueOfKind[Name]> } = {
  duration: (raw, traits) => number(millisecondsOf(raw), raw, { most: LONGEST, ...traits }),
  size: (raw, traits) => {
    if (traits.none === true && raw === 'none') return { value: 0 }
    return number(typeof raw === 'string' ? parseSize(raw) : raw, raw, traits)
  },
  integer: (raw, traits) =>
    number(typeof raw === 'string' && /^\d+$/.test(raw) ? Number(raw) : raw, raw, traits),
  boolean: (raw, traits) => {
    const word = String(raw)
    return word === 'true' || word === 'false' ? { value: word === 'true' } : unfit(raw, traits)
  },
  text,
  name: (raw, traits) =>
    typeof raw === 'string' && nameFault(raw, '') === undefined
      ? { value: raw }
      : unfit(raw, traits),
  address: (raw, traits) => {
    if (traits.none === true && raw === 'none') return { value: '' }
    return typeof raw === 'string' && isAddress(raw) ? { value: raw } : unfit(raw, traits)
  },
  file: text,
  url: (raw, traits) => {
    if (traits.none === true && raw === 'none') return { value: '' }
    return typeof raw === 'string' && isServerUrl(raw) ? { value: raw } : unfit(raw, traits)
  },
  target: (raw, traits) => {
    const isTarget = raw === 'close' || (typeof raw === 'string' && edgeTarget(raw) !== undefined)
    return isTarget ? { value: raw } : unfit(raw, traits)
  },
  sniff: sniffLimits,
  level: (raw, traits) => {
    const value = LOG_LEVELS.find((level) => level === raw)
    return value === undefined ? unfit(raw, traits) : { value }
  },
  keys: list(keyFault),
  patterns: list(publicFault),
  origins: list(originFault),
  networks: list(networkFault),
  servers: list(serverFault),
  hosts: list(hostFault),
  rules: rows<RuleRow>(({ who, path }) => whoFault(who) ?? pathFaultOf(path)),
  'peer rules': peerRules,
  policies: rows<PolicyRow>(({ path }) => pathFaultOf(path)),
  bridges: rows<BridgeRow>(({ to, who = 'signed-in' }) => {
    const fault = destinationFault(to)
    if (fault !== undefined) return `to: ${quote(to)} ${fault}`
    return whoFault(who)
  }),
  routes: rows<RouteRow>(routeFault),
}

/**
 * @param raw what a source said: text from the environment and flags, from a file what stands there. Rows
 *   (`rules`, `policies`) have passed the shape check.
 * @example readValue('250ms', { kind: 'duration' }) // { value: 250 }
 */
export function readValue(raw: unknown, traits: Traits): Reading<unknown> {
  return READERS[traits.kind](raw, traits)
}

function text(raw: unknown, traits: Traits): Reading<string> {
  if (traits.none === true && raw === 'none') return { value: '' }
  return typeof raw === 'string' && raw !== '' ? { value: raw } : unfit(raw, traits)
}

function millisecondsOf(raw: unknown): unknown {
  if (typeof raw === 'string') return parseDuration(raw)
  // a bare number means seconds, as it does in a URL
  return typeof raw === 'number' ? raw * 1000 : raw
}

function number(value: unknown, raw: unknown, traits: Traits): Reading<number> {
  const { least = 1, most = Number.MAX_SAFE_INTEGER } = traits
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) return unfit(raw, traits)
  if (value < least)
    return { fault: `must be at least ${least}${unitOf(traits)}, not ${quote(raw)}` }
  if (value > most) return { fault: `must be at most ${most}${unitOf(traits)}, not ${quote(raw)}` }
  return { value }
}

function unitOf({ kind }: Traits): string {
  if (kind === 'duration') return 'ms'
  return kind === 'size' ? ' bytes' : ''
}

function list(faultOf: (item: string) => string | undefined): Reader<readonly string[]> {
  return (raw, traits) => {
    const value = typeof raw === 'string' ? itemsOf(raw) : raw
    if (!isTexts(value)) return unfit(raw, traits)
    for (const item of value) {
      const fault = faultOf(item)
      if (fault !== undefined) return { fault: traits.secret ? fault : `${quote(item)} ${fault}` }
    }
    return { value }
  }
}

function itemsOf(text: string): unknown {
  if (!text.startsWith('[')) return text.split(',').map((item) => item.trim())
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function rows<Row>(faultOf: (row: Row) => string | undefined): Reader<readonly Row[]> {
  return (raw, traits) => {
    if (!Array.isArray(raw)) return unfit(raw, traits)
    const value: readonly Row[] = raw
    for (const [index, row] of value.entries()) {
      const fault = faultOf(row)
      if (fault !== undefined) return { fault: `number ${index + 1}: ${fault}` }
    }
    return { value }
  }
}

const BODY = { kind: 'size', least: 0 } as const
const METHOD = /^[A-Za-z-]+$/

function peerRules(raw: unknown, traits: Traits): Reading<readonly PeerRuleRow[]> {
  const sizes = rows<PeerRuleRow>(peerRuleFault)(raw, traits)
  if ('fault' in sizes) return sizes
  return { value: sizes.value.map(({ body, ...rest }) => withSize(rest, body)) }
}

function withSize(rule: PeerRuleRow, body: unknown): PeerRuleRow {
  const size = body === undefined ? undefined : READERS.size(body, BODY)
  return size !== undefined && 'value' in size ? { ...rule, body: size.value } : rule
}

function peerRuleFault({ peer, method, path, body }: PeerRuleRow): string | undefined {
  if (peer === '') return 'peer: is empty; write a name, or * for any'
  const wrong = [method ?? []].flat().find((one) => !METHOD.test(one))
  if (wrong !== undefined) return `method: ${quote(wrong)} is no method`
  const size = body === undefined ? undefined : READERS.size(body, BODY)
  if (size !== undefined && 'fault' in size) return `body ${size.fault}`
  return path === undefined ? undefined : pathFaultOf(path)
}

const TARGETS = HINTS.target.replace('close, ', '')

const SNIFF = {
  bytes: { kind: 'size', most: 1024 * 1024 },
  timeout: { kind: 'duration', most: 3_600_000 },
} as const

/** What is not said of the two is as by default. */
function sniffLimits(raw: unknown, traits: Traits): Reading<SniffLimits> {
  if (typeof raw !== 'object' || raw === null) return unfit(raw, traits)
  const { bytes = SNIFF_DEFAULT.bytes, timeout = SNIFF_DEFAULT.timeout } = raw as {
    readonly bytes?: unknown
    readonly timeout?: unknown
  }
  const size = READERS.size(bytes, SNIFF.bytes)
  if ('fault' in size) return { fault: `bytes ${size.fault}` }
  const time = READERS.duration(timeout, SNIFF.timeout)
  if ('fault' in time) return { fault: `timeout ${time.fault}` }
  return { value: { bytes: size.value, timeout: time.value } }
}

function routeFault({ when, to, rewrite, proxy_protocol }: RouteRow): string | undefined {
  const target = edgeTarget(to)
  if (target === undefined) return `to: ${quote(to)} is no target; write ${TARGETS}`
  if (proxy_protocol !== undefined && target.kind !== 'dial') {
    return `proxy_protocol: ${to} is of this process and sees the client itself; leave it out`
  }
  if (rewrite !== undefined && when.protocol !== 'http') {
    return 'rewrite: only requests have a host; say protocol = "http" in when'
  }
  try {
    edgeMatcher(when as EdgeWhen)
    // whether the host can stand in a head
    if (rewrite !== undefined) rewriteHost(new Uint8Array(0), rewrite.host)
    return undefined
  } catch (thrown) {
    if (thrown instanceof SapwoodError) return thrown.detail
    throw thrown
  }
}

function whoFault(who: string): string | undefined {
  if (WHO.test(who)) return undefined
  return `who: ${quote(who)} names nobody; write anyone or user:NAME`
}

function pathFaultOf(path: string): string | undefined {
  const fault = patternFault(path)
  return fault === undefined ? undefined : `path: ${quote(path)} ${fault}`
}

function keyFault(key: string): string | undefined {
  if (key === '') return 'is an empty key'
  return /^[\x21-\x7e]+$/.test(key) ? undefined : 'may hold only visible ASCII characters'
}

function publicFault(pattern: string): string | undefined {
  if (!isPlainPath(pattern)) return 'cannot be public: it names a control path or a client'
  return patternFault(pattern)
}

function originFault(text: string): string | undefined {
  const origin = URL.canParse(text) ? new URL(text).origin : 'null'
  if (origin === text && origin !== 'null') return undefined
  const meant = origin === 'null' ? 'https://app.example.org' : origin
  return `is not an origin; write it like ${meant}`
}

function serverFault(text: string): string | undefined {
  const isServer = isAddress(text) && hostOfAddress(text) !== undefined && !/:0+$/.test(text)
  return isServer ? undefined : 'is no HOST:PORT; write it like pipe.example.org:8789'
}

/** A server by itself: a target brings its own path. */
function isServerUrl(text: string): boolean {
  if (text.startsWith('unix:')) return isAddress(text)
  return /^http:\/\/[^/?#@]+\/?$/.test(text) && URL.canParse(text)
}

function hostFault(text: string): string | undefined {
  const isHost = /^(?:[\w.-]+|\[[\da-fA-F:.]+\])$/.test(text)
  return isHost ? undefined : 'is no host name; write it without a port'
}

function networkFault(text: string): string | undefined {
  const [address = '', prefix, ...rest] = text.split('/')
  const family = isIP(address)
  try {
    if (family !== 0 && rest.length === 0 && /^\d+$/.test(prefix ?? '0')) {
      new BlockList().addSubnet(address, Number(prefix ?? 0), family === 4 ? 'ipv4' : 'ipv6')
      return undefined
    }
  } catch {
    // the prefix is out of range
  }
  return 'is no address; write it like 10.0.0.0/8 or ::1'
}

function unfit(raw: unknown, traits: Traits): { readonly fault: string } {
  const none = traits.none === true ? ', or none' : ''
  const said = traits.secret === true ? '' : `, not ${quote(raw)}`
  return { fault: `must be ${HINTS[traits.kind]}${none}${said}` }
}

function quote(raw: unknown): string {
  return JSON.stringify(raw) ?? String(raw)
}
