/**
 * Runs the tests, every file or those that are named: `npm test -- test/.out/core/path.test.js`.
 * tap's own runner loads hooks for coverage into each file and into every process that a file starts, which makes their
 * starts three times as slow. Here nobody measures coverage; `npm run coverage` does, with that runner.
 */
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

const FOLDER = 'test/.out'
const { jobs, timeout } = JSON.parse(readFileSync('package.json', 'utf8')).tap
const named = process.argv.slice(2)

// people read a report, only machines read TAP
if (process.stdout.isTTY) report()
else await run(named.length > 0 ? named : all())

function report() {
  const tests = spawn(process.execPath, process.argv.slice(1), {
    stdio: ['inherit', 'pipe', 'inherit'],
  })
  const reporter = spawn('node_modules/.bin/tap', ['-'], {
    stdio: [tests.stdout, 'inherit', 'inherit'],
  })
  reporter.once('close', (status) => {
    process.exitCode = status ?? 1
  })
}

async function run(files) {
  const { t } = await import('tap')
  t.jobs = jobs
  // each file has its own limit
  t.setTimeout(0)
  for (const file of files) {
    // whatever tap's library starts gets the hooks by NODE_OPTIONS
    const command = ['-u', 'NODE_OPTIONS', process.execPath, '--enable-source-maps', file]
    const env = { ...process.env, TAP_TIMEOUT: String(timeout) }
    t.spawn('env', command, { buffered: jobs > 1, timeout: timeout * 1000, env }, file)
  }
}

function all() {
  const found = readdirSync(FOLDER, { recursive: true })
  return found
    .filter((file) => file.endsWith('.test.js'))
    .sort()
    .map((file) => `${FOLDER}/${file}`)
}
