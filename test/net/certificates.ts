/** Certificates for a test, made by openssl: a CA, and who it vouches for. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Certified {
  readonly key: Buffer
  readonly cert: Buffer
  readonly keyFile: string
  readonly certFile: string
}

const CURVE = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

/** @example const ca = new Authority(); t.teardown(() => ca.close()); const { key, cert } = ca.issue('localhost') */
export class Authority {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'sapwood-ca-'))
  readonly certFile: string = join(this.folder, 'ca.crt')
  readonly cert: Buffer

  constructor() {
    const subject = ['-subj', '/CN=test authority', '-days', '2']
    const files = ['-keyout', join(this.folder, 'ca.key'), '-out', this.certFile]
    openssl('req', '-x509', ...CURVE, ...subject, ...files)
    this.cert = readFileSync(this.certFile)
  }

  /** A certificate for `name` and 127.0.0.1. */
  issue(name: string): Certified {
    const file = (end: string): string => join(this.folder, `${name}.${end}`)
    openssl('req', ...CURVE, '-subj', `/CN=${name}`, '-keyout', file('key'), '-out', file('csr'))
    writeFileSync(file('ext'), `subjectAltName=DNS:${name},IP:127.0.0.1\n`)
    const ca = ['-CA', this.certFile, '-CAkey', join(this.folder, 'ca.key'), '-CAcreateserial']
    const out = ['-days', '2', '-extfile', file('ext'), '-out', file('crt')]
    openssl('x509', '-req', '-in', file('csr'), ...ca, ...out)
    const [keyFile, certFile] = [file('key'), file('crt')]
    return { key: readFileSync(keyFile), cert: readFileSync(certFile), keyFile, certFile }
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
