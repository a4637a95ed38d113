/** What is particular about sockets in the file system. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findConnection } from '@sapwood/net'
import { RecordingApplication } from '@sapwood/testkit'
import { test } from 'tap'
import { dial } from './raw-peer.ts'
import { ECHO, rejection, tracked } from './tracked.ts'

const LEAVES_IT_BEHIND = `
  require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))
`

test('a socket file has its mode, goes with its listener, and what is left of a dead one is replaced', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sapwood-unix-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'echo')
  try {
    execFileSync(process.execPath, ['-e', LEAVES_IT_BEHIND, path], { stdio: 'ignore' })
  } catch {
    // it killed itself
  }
  t.ok(existsSync(path))
  const server = tracked(t, 'unix', { endpoint: { path }, mode: 0o600 })
  t.same(await server.listen(() => ECHO), { path })
  t.equal(statSync(path).mode & 0o777, 0o600)
  const peer = await dial({ path })
  peer.socket.write('hello\n')
  await peer.gets('hello\r\n')
  const [connection] = [...server]
  t.equal(findConnection('unix', { path }, connection?.remote ?? { path }), connection)
  const second = tracked(t, 'unix')
  t.equal(await rejection(second.listen(() => ECHO)), 'ADDRESS_INVALID', 'it needs a path')
  await server.shutdown()
  t.notOk(existsSync(path))
  t.equal(
    await rejection(second.connect({ path }, () => new RecordingApplication())),
    'CONNECT_FAILED',
  )
})

test('a file that is no socket, or one that somebody listens on, stays as it is', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sapwood-unix-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const [file, path] = [join(folder, 'letters'), join(folder, 'busy')]
  writeFileSync(file, 'dear')
  t.equal(
    await rejection(tracked(t, 'unix', { endpoint: { path: file } }).listen(() => ECHO)),
    'PORT_IN_USE',
  )
  t.equal(readFileSync(file, 'utf8'), 'dear')
  const busy = createServer((socket) => socket.on('error', () => {}).end('busy'))
  await new Promise<void>((resolve) => busy.listen(path, resolve))
  t.teardown(() => busy.close())
  t.equal(
    await rejection(tracked(t, 'unix', { endpoint: { path } }).listen(() => ECHO)),
    'PORT_IN_USE',
  )
  await (await dial({ path })).gets('busy')
})

test('a listener whose socket file cannot have its mode lets nobody in', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sapwood-unix-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'echo')
  const server = tracked(t, 'unix', { endpoint: { path }, mode: 2 ** 40 })
  t.equal(await rejection(server.listen(() => ECHO)), 'LISTEN_FAILED')
  const client = tracked(t, 'unix')
  const application = new RecordingApplication()
  t.equal(await rejection(client.connect({ path }, () => application)), 'CONNECT_FAILED')
})
