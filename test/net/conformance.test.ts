/** Every transport of streams keeps the one contract. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connections } from '@sapwood/net'
import { networkConformance } from '@sapwood/testkit'
import { test } from 'tap'
import { requires } from '../requires.ts'
import { Authority } from './certificates.ts'

for (const name of ['memory', 'tcp']) {
  test(`the transport ${name}`, async (t) => {
    networkConformance(t, name, () => ({
      listener: (options) => connections(name, options),
      dialler: (options) => connections(name, options),
    }))
  })
}

test('the transport unix', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sapwood-unix-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  let sockets = 0
  networkConformance(t, 'unix', () => ({
    listener: (options) =>
      connections('unix', { ...options, endpoint: { path: join(folder, `${++sockets}`) } }),
    dialler: (options) => connections('unix', options),
  }))
})

test('the transport tls', requires('openssl'), async (t) => {
  const ca = new Authority()
  t.teardown(() => ca.close())
  const { key, cert } = ca.issue('localhost')
  networkConformance(t, 'tls', () => ({
    listener: (options) => connections('tls', { ...options, tls: { key, cert } }),
    dialler: (options) => connections('tls', { ...options, tls: { ca: ca.cert } }),
  }))
})
