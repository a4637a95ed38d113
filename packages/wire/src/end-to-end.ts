/**
 * Headers on their way over more than one connection (RFC 9110, 7.6.1): what belongs to one of them stays there.
 * Invariant: nothing passes that tells how a body is framed but one `content-length`, or that a `Connection` header names.
 */
import type { FieldList } from './pipe/stream-head.ts'

const HOP_BY_HOP: ReadonlySet<string> = /* @__PURE__ */ new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Does a header of this name, in lower case, belong to one connection? */
export function isHopByHop(name: string): boolean {
  return HOP_BY_HOP.has(name)
}

/**
 * The headers that go on, names in lower case.
 * @param fields names and values in turn, as in Node's `rawHeaders`.
 * @example endToEnd(['Connection', 'close, X-A', 'X-A', '1', 'X-B', '2']) // ['x-b', '2']
 */
export function endToEnd(fields: FieldList): string[] {
  const kept: string[] = []
  let named: Set<string> | undefined
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = (fields[i] as string).toLowerCase()
    const value = fields[i + 1] as string
    if (name === 'connection') named = addNames(value, named)
    else if (!HOP_BY_HOP.has(name)) kept.push(name, value)
  }
  return named === undefined ? kept : without(kept, named)
}

function addNames(value: string, names: Set<string> = new Set()): Set<string> {
  for (const name of value.split(',')) names.add(name.trim().toLowerCase())
  return names
}

function without(fields: FieldList, names: ReadonlySet<string>): string[] {
  const kept: string[] = []
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string
    // how long the body is cannot be taken away by naming it
    if (!names.has(name) || name === 'content-length') kept.push(name, fields[i + 1] as string)
  }
  return kept
}

/** The first value of a header, by its name in lower case; names in `fields` are in lower case too. */
export function fieldOf(fields: FieldList, name: string): string | undefined {
  for (let i = 0; i + 1 < fields.length; i += 2) if (fields[i] === name) return fields[i + 1]
  return undefined
}
