/** The browser SDK as pages load it: one module, small, and nothing of Node in it. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { test } from 'tap'

const PACKAGE = new URL('../../../packages/client/', import.meta.url)
/** Bytes after gzip. */
const BUDGET = 12_000

test('the browser SDK fits its budget, and works by itself', async (t) => {
  await promisify(execFile)(process.execPath, [fileURLToPath(new URL('bundle.js', PACKAGE))])
  const file = new URL('dist/sapwood.js', PACKAGE)
  const text = await readFile(file, 'utf8')
  const size = gzipSync(text, { level: 9 }).length
  t.ok(size <= BUDGET, `${size} of ${BUDGET} bytes`)
  t.notMatch(text, /^import|\bimport\(|\brequire\(|node:/m)
  const sdk = await import(file.href)
  t.strictSame(Object.keys(sdk).sort(), ['SapwoodError', 'connect', 'transports'])
})
