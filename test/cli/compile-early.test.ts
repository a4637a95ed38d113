/** What a service tells V8. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { test } from 'tap'

const FILE = new URL('../../../packages/cli/dist/compile-early.js', import.meta.url)

test('V8 knows what it is told of compiling, or is told nothing', async (t) => {
  const script = `import { compileEarly } from '${FILE.href}'; compileEarly()`
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '-e', script],
    { env: {} },
  )
  // of a flag that it does not know it says so here, and goes on
  t.equal(stdout + stderr, '')
})
