/** The module that `--handlers` names: what of it answers, and what is said where it cannot. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SapwoodError } from '@sapwood/core'
import { loadHandlers } from '@sapwood/pipe'
import { test } from 'tap'

const directory = mkdtempSync(join(tmpdir(), 'handlers-'))

function written(name: string, text: string): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

test('handlers are exports by name, and what a table lists (RP-10, RP-31)', async (t) => {
  t.teardown(() => rmSync(directory, { recursive: true }))
  const names = async (name: string, text: string): Promise<string[]> =>
    Object.keys(await loadHandlers(written(name, text))).sort()
  const exported = `export const get_time = () => 1; export async function put_a_b() {}
    export const get_data = 5; export function helper() {}; export function read_secret() {}`
  t.same(await names('names.mjs', exported), ['get_time', 'put_a_b'])
  t.same(await names('table.mjs', `export const handlers = { 'GET time/utc'() {}, lock_x() {} }`), [
    'GET time/utc',
    'lock_x',
  ])
  t.same(await names('default.mjs', `export default { 'QUERY a': () => 1, get_: () => 2 }`), [
    'QUERY a',
    'get_',
  ])
  const common = `exports.get_a = () => 1; exports.helper = () => 2; exports.n = 3`
  t.same(await names('common.cjs', common), ['get_a'])
  t.same(await names('whole.cjs', `module.exports = { 'GET a': () => 1 }`), ['GET a'])
  const both = written('both.mjs', `export const get_a = 1; export default { get_a: () => 2 }`)
  await t.rejects(loadHandlers(both), { code: 'HANDLERS_INVALID' }, 'not what was meant')
  const loaded = await loadHandlers(written('proto.mjs', 'export const get_a = () => 1'))
  t.equal(Object.getPrototypeOf(loaded), null)
})

test('what cannot be loaded says which file, and why', async (t) => {
  const here = mkdtempSync(join(tmpdir(), 'handlers-'))
  t.teardown(() => rmSync(here, { recursive: true }))
  const rows: [string, string, RegExp][] = [
    ['syntax.mjs', 'export const = 1', /syntax\.mjs cannot be loaded/],
    ['throws.mjs', `throw new Error('at start')`, /at start/],
    ['import.mjs', `import 'no-such-package'; export const get_a = () => 1`, /no-such-package/],
  ]
  for (const [name, text, detail] of rows) {
    const path = join(here, name)
    writeFileSync(path, text)
    await t.rejects(loadHandlers(path), { code: 'HANDLERS_UNREADABLE', message: detail }, name)
  }
  for (const path of [join(here, 'none.mjs'), here]) {
    await t.rejects(loadHandlers(path), { code: 'HANDLERS_UNREADABLE', message: /no file/ })
  }
  const wrong: [string, string, RegExp][] = [
    ['empty.mjs', 'export const other = 1', /no handlers/],
    ['number.mjs', 'export const handlers = 5', /table/],
    ['value.mjs', `export const handlers = { 'GET a': 5 }`, /"GET a" is no function/],
    ['name.mjs', `export default { time: () => 1 }`, /"time" is no name/],
  ]
  for (const [name, text, detail] of wrong) {
    const path = join(here, name)
    writeFileSync(path, text)
    const thrown = await loadHandlers(path).catch((error: unknown) => error)
    t.ok(thrown instanceof SapwoodError, name)
    t.match(thrown, { code: 'HANDLERS_INVALID', message: detail }, name)
  }
})
