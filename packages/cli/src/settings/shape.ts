/**
 * The shape of a settings file: which sections and keys there are, and of what type each may be. Derived from the
 * table; strict, so that a misspelt key is told and not ignored. What values *mean* is for `read-value.ts`.
 * Loaded only when there is something structured to check: zod takes longer to load than the hub to start.
 */
import { z } from 'zod'
import type { KindName } from './kinds.ts'
import { ACTIONS, HINTS, POLICIES, PROXY_PROTOCOLS } from './kinds.ts'
import { nearest } from './nearest.ts'
import { SETTINGS } from './table.ts'

export interface ShapeFault {
  /** Keys and indices, outermost first. */
  readonly path: readonly PropertyKey[]
  /** The rest of a sentence that begins with the path. */
  readonly text: string
}

const RULE = {
  who: column('a text'),
  may: z.array(oneOf(ACTIONS), must('a list')),
  path: column('a text'),
}
const PEER_RULE = {
  peer: column('a text').optional(),
  method: texts('a text, or a list of texts').optional(),
  path: column('a text').optional(),
  body: z.union([z.string(), z.number()], must(HINTS.size)).optional(),
}
const BRIDGE = { to: column('a text'), who: column('a text').optional() }
const ROUTE = {
  // what may stand in it is for the matchers to say
  when: z.record(z.string(), z.string(must('a text')), must('a table')),
  to: column('a text'),
  rewrite: z.strictObject({ host: column('a text') }, must('a table with host')).optional(),
  proxy_protocol: oneOf(PROXY_PROTOCOLS).optional(),
}
const SNIFF = {
  bytes: z.union([z.string(), z.number()], must(HINTS.size)).optional(),
  timeout: z.union([z.string(), z.number()], must(HINTS.duration)).optional(),
}
const POLICY = { path: column('a text'), policy: oneOf(POLICIES) }

const SHAPES: Readonly<Record<KindName, z.ZodType>> = {
  duration: z.union([z.string(), z.number()], must(HINTS.duration)),
  size: z.union([z.string(), z.number()], must(HINTS.size)),
  integer: z.number(must(HINTS.integer)),
  boolean: z.boolean(must(HINTS.boolean)),
  text: z.string(must(HINTS.text)),
  name: z.string(must(HINTS.name)),
  address: z.string(must(HINTS.address)),
  file: z.string(must(HINTS.file)),
  url: z.string(must(HINTS.url)),
  target: z.string(must(HINTS.target)),
  sniff: z.strictObject(SNIFF, must(HINTS.sniff)),
  level: z.string(must(HINTS.level)),
  keys: texts(HINTS.keys),
  patterns: texts(HINTS.patterns),
  origins: texts(HINTS.origins),
  networks: texts(HINTS.networks),
  servers: texts(HINTS.servers),
  hosts: texts(HINTS.hosts),
  rules: z.array(z.strictObject(RULE, must('a table')), must(HINTS.rules)),
  'peer rules': z.array(z.strictObject(PEER_RULE, must('a table')), must(HINTS['peer rules'])),
  policies: z.array(z.strictObject(POLICY, must('a table')), must(HINTS.policies)),
  bridges: z.array(z.strictObject(BRIDGE, must('a table')), must(HINTS.bridges)),
  routes: z.array(z.strictObject(ROUTE, must('a table')), must(HINTS.routes)),
}

/** The columns of the tables in a section. */
const COLUMNS: Readonly<Record<string, object>> = {
  'gate.rule': RULE,
  'pipe.rule': PEER_RULE,
  'session.policy': POLICY,
  'bridge.allow': BRIDGE,
  'edge.route': ROUTE,
  'edge.sniff': SNIFF,
  rewrite: { host: undefined },
}

/**
 * Everything that is wrong with the shape of `settings`, in the order of its keys.
 * @example shapeFaults({ pol: {} }) // [{ path: ['pol'], text: 'is no section; did you mean poll?' }]
 */
export function shapeFaults(settings: unknown): readonly ShapeFault[] {
  const result = fileShape().safeParse(settings)
  return result.success ? [] : result.error.issues.flatMap(faultsOf)
}

function fileShape(): z.ZodType {
  const sections: Record<string, Record<string, z.ZodType>> = {}
  for (const { key, kind } of SETTINGS) {
    const [section = '', name = ''] = key.split('.')
    sections[section] ??= {}
    sections[section][name] = SHAPES[kind].optional()
  }
  const shapes = Object.entries(sections).map(([section, names]) => [
    section,
    z.strictObject(names, must('a section')).optional(),
  ])
  return z.strictObject(Object.fromEntries(shapes), must('a table of sections'))
}

function faultsOf(issue: z.core.$ZodIssue): ShapeFault[] {
  if (issue.code !== 'unrecognized_keys') return [{ path: issue.path, text: issue.message }]
  return issue.keys.map((key) => ({ path: [...issue.path, key], text: unknown(issue.path, key) }))
}

/** What to say of `key` where no such key belongs. */
function unknown(path: readonly PropertyKey[], key: string): string {
  if (path.length > 1) {
    const inner = COLUMNS[String(path.at(-1))] ?? COLUMNS[path.slice(0, 2).join('.')]
    const columns = Object.keys(inner ?? {})
    return `is not known here; a table has ${columns.join(', ')}`
  }
  const keys = SETTINGS.map((setting) => setting.key)
  const sections = [...new Set(keys.map((name) => name.split('.', 1)[0] as string))]
  const sameName = keys.find((name) => name.endsWith(`.${key}`))
  const meant =
    path.length === 0
      ? (nearest(key, sections) ?? sameName)
      : (nearest(`${String(path[0])}.${key}`, keys) ?? sameName)
  const kind = path.length === 0 ? 'section' : 'setting'
  return `is no ${kind}${meant === undefined ? '' : `; did you mean ${meant}?`}`
}

function oneOf<const Words extends readonly string[]>(words: Words): z.ZodType {
  return z.enum(words, must(`one of ${words.join(', ')}`))
}

function column(what: string): z.ZodType {
  return z.string(must(what))
}

function texts(hint: string): z.ZodType {
  return z.union([z.string(), z.array(z.string())], must(hint))
}

function must(hint: string): { error: (issue: { input?: unknown }) => string } {
  return { error: ({ input }) => (input === undefined ? 'is missing' : `must be ${hint}`) }
}
