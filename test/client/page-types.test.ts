/** A page's own project compiles with the client's types: nothing of Node's, nothing newer than the page asks for. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

const TOP = join(import.meta.dirname, '../../..')

const SETTINGS = {
  compilerOptions: {
    strict: true,
    skipLibCheck: false,
    target: 'es2022',
    lib: ['es2022', 'dom'],
    module: 'esnext',
    moduleResolution: 'bundler',
    types: [],
    noEmit: true,
  },
  include: ['page.ts'],
}

const PAGE = `
import { connect, publisher } from '@sapwood/client'
import { connect as connectOfBundle } from '@sapwood/client/browser'
const client = connect<{ 'orders/*': { state: string } }>()
client.subscribe('orders/42', ({ state }) => document.body.append(state))
export const all = [client, connectOfBundle(), publisher({ url: '/' })]
`

test('a page compiles strictly, with the library of ES2022 and of pages alone', (t) => {
  const project = t.testdir({ 'page.ts': PAGE, 'tsconfig.json': JSON.stringify(SETTINGS) })
  mkdirSync(join(project, 'node_modules/@sapwood'), { recursive: true })
  symlinkSync(join(TOP, 'packages/client'), join(project, 'node_modules/@sapwood/client'))
  const { stdout, status } = spawnSync('npx', ['tsc', '-p', project], {
    cwd: TOP,
    encoding: 'utf8',
  })
  t.equal(stdout, '')
  t.equal(status, 0)
  t.end()
})
