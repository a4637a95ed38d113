/**
 * Makes everything ready: installs what the lock file says where that is not there yet, then builds. `npm start` and
 * `npm test` run it first, so that a fresh clone needs neither more commands nor more knowledge.
 *   --tests   also what only the tests need
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

const MARK = 'node_modules/.ready'
const [major, minor] = process.versions.node.split('.').map(Number)

if (major < 20 || (major === 20 && minor < 20)) {
  console.error(
    `Sapwood needs Node 20.20 or newer, this is ${process.versions.node}. Install a newer one.`,
  )
  process.exit(1)
}

const lock = createHash('sha256').update(readFileSync('package-lock.json')).digest('hex')
const ready = existsSync(MARK) ? readFileSync(MARK, 'utf8').split('\n') : []

if (ready[0] !== lock) {
  // no package needs its install script; the test runner is built below, and only for tests
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'])
  ready.splice(0, ready.length, lock)
}
if (process.argv.includes('--tests') && !ready.includes('tests')) {
  run('npx', ['tap', 'build'])
  ready.push('tests')
}
writeFileSync(MARK, ready.join('\n'))
run('npm', ['run', '--silent', 'build'])

function run(command, args) {
  const { status } = spawnSync(command, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: false,
  })
  if (status !== 0) {
    console.error(`"${command} ${args.join(' ')}" failed; its output above says why.`)
    process.exit(status ?? 1)
  }
}
