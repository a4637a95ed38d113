import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Test } from 'tap'
import { test } from 'tap'
import { Authority } from '../net/certificates.ts'
import { requires } from '../requires.ts'
import { startExample } from './example.ts'

/** A program that is written to, piece by piece, and what it has printed. */
class Peer {
  said = ''
  readonly ended: Promise<unknown>
  readonly #child: ReturnType<typeof spawn>

  constructor(t: Test, program: string, args: readonly string[]) {
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    t.teardown(() => this.#child.kill('SIGKILL'))
    this.ended = once(this.#child, 'close')
    this.#child.stdout?.on('data', (bytes: Buffer) => {
      this.said += bytes.toString('latin1')
    })
  }

  write(text: string): void {
    this.#child.stdin?.write(text, 'latin1')
  }

  async says(text: string): Promise<void> {
    for (let turns = 0; this.said !== text; turns++) {
      if (turns === 1_000) {
        throw new Error(`${JSON.stringify(this.said)} is to be ${JSON.stringify(text)}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  end(): Promise<unknown> {
    this.#child.stdin?.end()
    return this.ended
  }

  async dies(): Promise<unknown> {
    this.#child.kill()
    return this.ended
  }
}

test('TN-30, 2.4-1: the echo over TCP, asked by nc', requires('nc'), async (t) => {
  const { port } = await startExample(t, 'echo/server.js')
  const nc = new Peer(t, 'nc', ['-N', '127.0.0.1', `${port}`])
  nc.write('frame1\r\nframe2\r\nfra')
  await nc.says('frame1\r\nframe2\r\n')
  nc.write('me3\r\n')
  await nc.says('frame1\r\nframe2\r\nframe3\r\n')
  nc.write('bare\n\n\r\nno end')
  await nc.says('frame1\r\nframe2\r\nframe3\r\nbare\r\n\r\n\r\n')
  await nc.end()
  t.match(nc.said, /no end\r\n$/)
})

test(
  'TN-30, 2.4-2: the echo over UDP, asked by socat from two ports',
  requires('socat'),
  async (t) => {
    const { port } = await startExample(t, 'echo/server.js')
    const [one, two] = [1, 2].map(() => new Peer(t, 'socat', ['-', `UDP4:127.0.0.1:${port}`]))
    let said = ''
    for (const frame of ['frame1', 'frame2\nof two lines', 'frame3']) {
      one?.write(frame)
      said += frame
      await one?.says(said)
    }
    two?.write('x'.repeat(8_000))
    await two?.says('x'.repeat(8_000))
    await one?.says(said)
    t.equal(one?.said, said, 'each has its own')
    await Promise.all([one?.dies(), two?.dies()])
  },
)

test('TN-30: the echo over TLS, asked by openssl', requires('openssl'), async (t) => {
  const ca = new Authority()
  t.teardown(() => ca.close())
  const { keyFile, certFile } = ca.issue('localhost')
  const env = { TLS_KEY: keyFile, TLS_CERT: certFile, TLS_PORT: '0' }
  const { program } = await startExample(t, 'echo/server.js', env)
  const [, port] = await program.says(/tls listens on 127\.0\.0\.1:(\d+)/)
  const trust = ['-CAfile', ca.certFile, '-verify_return_error', '-verify_hostname', 'localhost']
  const args = ['s_client', '-quiet', '-no_ign_eof', '-connect', `127.0.0.1:${port}`, ...trust]
  const openssl = new Peer(t, 'sh', ['-c', 'exec openssl "$@" 2>/dev/null', 'sh', ...args])
  openssl.write('frame1\nfra')
  await openssl.says('frame1\r\n')
  openssl.write('me2\n')
  await openssl.says('frame1\r\nframe2\r\n')
  program.signal('SIGTERM')
  openssl.write('still there\n')
  await openssl.says('frame1\r\nframe2\r\nstill there\r\n')
  await openssl.dies()
  t.equal((await program.ended).status, 0, 'it ends once the last has left')
})
