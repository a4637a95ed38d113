import { FakeClock } from '@sapwood/testkit'
import { linkLog } from 'sapwood'
import { test } from 'tap'

function logged() {
  const clock = new FakeClock()
  const lines: string[] = []
  const write = (fields: { readonly reason?: string }): void =>
    void lines.push(String(fields.reason))
  const silent = (): void => undefined
  const log = { debug: silent, info: silent, warn: write, error: silent }
  return { clock, lines, observer: linkLog(log, clock) }
}

test('of two peers that are sent away from one address both names are told, each once a minute', (t) => {
  const { clock, lines, observer } = logged()
  const attempt = (port: number): void => {
    for (const name of ['alpha', 'beta']) {
      const detail = `the certificate of ${name} is revoked`
      observer.refused?.(`10.0.0.1:${port}`, { code: 'CERTIFICATE_REVOKED', detail })
    }
  }
  attempt(1)
  attempt(2)
  t.same(lines, ['the certificate of alpha is revoked', 'the certificate of beta is revoked'])
  clock.advance(60_000)
  attempt(3)
  t.equal(lines.length, 4)
  t.end()
})

test('of mishaps of one kind each is told that comes from elsewhere, and a flood of them for a while only', (t) => {
  const { clock, lines, observer } = logged()
  const attempt = (host: string, port: number): void =>
    observer.fault?.({ code: 'TLS_FAILED', detail: `${host}:${port}: no shared cipher` })
  attempt('10.0.0.1', 1)
  attempt('10.0.0.1', 2)
  attempt('10.0.0.2', 3)
  t.same(lines, ['10.0.0.1:1: no shared cipher', '10.0.0.2:3: no shared cipher'])
  for (let i = 0; i < 1_000; i++) attempt(`10.1.${i % 256}.${i >> 8}`, 4)
  t.equal(lines.length, 16)
  clock.advance(60_000)
  attempt('10.0.0.1', 5)
  t.equal(lines.length, 17)
  t.end()
})
