/**
 * Reads a settings file, TOML or JSON, into a layer. Every problem is found in one go and names its line.
 * Invariant: a value gets into the layer only with the shape that its kind has.
 */
import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import type { SapwoodError } from '@sapwood/core'
import { reasonOf } from '@sapwood/core'
import { failure } from '../failure.ts'
import { jsonFault } from './json-fault.ts'
import type { LineOf, Syntax } from './key-lines.ts'
import { keyLines } from './key-lines.ts'
import type { Layer, Problem, Said } from './layer.ts'
import type { SettingKey } from './table.ts'
import { SETTINGS } from './table.ts'

/** No settings of ours need more; somebody named the wrong file. */
const LARGEST = 1024 * 1024

/**
 * @param file its name as the operator wrote it; places are told as `FILE:LINE`. `.json` is JSON, anything else TOML
 *   unless it begins with a brace.
 * @throws SapwoodError `CONFIG_UNREADABLE` if the file cannot be read.
 */
export async function fileLayer(file: string): Promise<Layer> {
  const text = await textOf(file)
  const syntax: Syntax = extname(file) === '.json' || /^\s*\{/.test(text) ? 'json' : 'toml'
  const parsed = await parse(text, syntax)
  if ('fault' in parsed) {
    const { line, fault } = parsed
    const origin = line === undefined ? file : `${file}:${line}`
    return { said: new Map(), problems: [{ origin, setting: '', text: fault }] }
  }
  const lineOf = keyLines(text, syntax)
  const problems = await shapeProblems(parsed.value, (path) => `${file}:${lineOf(path)}`)
  return { said: saidIn(parsed.value, file, lineOf, problems), problems }
}

async function textOf(file: string): Promise<string> {
  let bytes: Buffer
  try {
    bytes = await readFile(file)
  } catch (thrown) {
    throw unreadable(file, thrown)
  }
  if (bytes.length > LARGEST) {
    throw failure('CONFIG_UNREADABLE', `${file} is larger than 1 MiB`, 'name a settings file')
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw failure('CONFIG_UNREADABLE', `${file} is not UTF-8 text`, 'save it as UTF-8')
  }
}

function unreadable(file: string, thrown: unknown): SapwoodError {
  const { code } = thrown as NodeJS.ErrnoException
  if (code === 'ENOENT') {
    const next = `make one: sapwood config init ${file}`
    return failure('CONFIG_UNREADABLE', `there is no file ${file}`, next)
  }
  return failure(
    'CONFIG_UNREADABLE',
    `cannot read ${file}: ${reasonOf(thrown)}`,
    'check its rights',
  )
}

type Parsed = { readonly value: object } | { readonly fault: string; readonly line?: number }

async function parse(text: string, syntax: Syntax): Promise<Parsed> {
  if (syntax === 'json') return parseJson(text)
  const { parse: parseToml, TomlError } = await import('smol-toml')
  try {
    return { value: parseToml(text, { unsafeKeyBehaviour: 'throw' }) }
  } catch (thrown) {
    // its message goes on with an excerpt, which the line number makes needless
    const fault = (reasonOf(thrown).split('\n', 1)[0] as string).replace(
      'Invalid TOML document: ',
      '',
    )
    return thrown instanceof TomlError ? { fault, line: thrown.line } : { fault }
  }
}

function parseJson(text: string): Parsed {
  return jsonFault(text) ?? { value: Object(JSON.parse(text)) }
}

async function shapeProblems(
  value: object,
  placeOf: (path: readonly PropertyKey[]) => string,
): Promise<readonly Problem[]> {
  const { shapeFaults } = await import('./shape.ts')
  return shapeFaults(value).map(({ path, text }) => ({
    origin: placeOf(path),
    setting: nameOf(path),
    text,
  }))
}

/** @example nameOf(['gate', 'rule', 0, 'who']) // 'gate.rule[1].who' */
function nameOf(path: readonly PropertyKey[]): string {
  let name = ''
  for (const part of path) {
    if (typeof part === 'number') name += `[${part + 1}]`
    else name += name === '' ? String(part) : `.${String(part)}`
  }
  return name
}

function saidIn(
  value: object,
  file: string,
  lineOf: LineOf,
  problems: readonly Problem[],
): ReadonlyMap<SettingKey, Said> {
  const said = new Map<SettingKey, Said>()
  const sections = value as Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>
  for (const { key } of SETTINGS) {
    const [section = '', name = ''] = key.split('.')
    const raw = Object.hasOwn(sections, section) ? sections[section]?.[name] : undefined
    const isFaulty = problems.some(({ setting }) => setting.startsWith(key))
    if (raw === undefined || isFaulty) continue
    said.set(key, { raw, origin: `${file}:${lineOf([section, name])}` })
  }
  return said
}
