/** Certificates and lists that other programs make: a CA kept by plain `openssl`, as easy-rsa keeps its own. */
import { execFileSync } from 'node:child_process'
import type { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readCertificates } from '@sapwood/pipe'
import type { Test } from 'tap'

export type KeyKind = 'ec' | 'rsa' | 'ed25519'

const KEYS: Readonly<Record<KeyKind, readonly string[]>> = {
  ec: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  rsa: ['-newkey', 'rsa:2048'],
  ed25519: ['-newkey', 'ed25519'],
}

const CONFIG = `
[ca]
default_ca = own
[own]
dir = .
database = ./index.txt
new_certs_dir = .
certificate = ./ca.crt.pem
private_key = ./ca.key.pem
serial = ./serial
crlnumber = ./crlnumber
default_md = sha256
default_crl_days = 180
default_days = 2
policy = any
unique_subject = no
crl_extensions = crl
[any]
commonName = supplied
[crl]
authorityKeyIdentifier = keyid:always
[req]
distinguished_name = subject
[subject]
[authority]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
`

/** @returns what it printed. @throws Error with what it said. */
export function openssl(cwd: string, ...args: readonly string[]): string {
  return execFileSync('openssl', args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] }).toString()
}

/** Does openssl say no? */
export function opensslRefuses(cwd: string, ...args: readonly string[]): string {
  try {
    openssl(cwd, ...args)
  } catch (thrown) {
    return (thrown as { stderr: Buffer }).stderr.toString()
  }
  throw new Error(`openssl ${args.join(' ')} succeeds`)
}

export function temporary(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'sapwood-pki-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

export interface ForeignOrder {
  /** Lines of its extensions, `subjectAltName=DNS:alpha` at least. */
  readonly extensions: string
  readonly kind?: KeyKind
  /** As `openssl ca` has them: `YYYYMMDDHHMMSSZ`. */
  readonly from?: string
  readonly until?: string
}

/** A CA of `openssl ca`. What it issues lies in its directory in the form that a pipe reads. */
export class ForeignAuthority {
  readonly dir: string

  constructor(t: Test, kind: KeyKind = 'ec', subject = '/CN=Foreign CA') {
    this.dir = temporary(t)
    for (const [file, text] of Object.entries({
      'openssl.cnf': CONFIG,
      'index.txt': '',
      serial: '1000\n',
      crlnumber: '01\n',
    })) {
      writeFileSync(join(this.dir, file), text)
    }
    const files = ['-keyout', 'ca.key.pem', '-out', 'ca.crt.pem', '-config', 'openssl.cnf']
    const usual = ['-subj', subject, '-days', '3', '-extensions', 'authority', '-nodes']
    openssl(this.dir, 'req', '-x509', ...KEYS[kind], ...usual, ...files)
  }

  /** Its file has the text of the certificate in front, as easy-rsa leaves it. */
  issue(name: string, { extensions, kind = 'ec', from, until }: ForeignOrder): void {
    const files = ['-keyout', `${name}.key.pem`, '-out', `${name}.csr.pem`]
    const subject = ['-subj', `/CN=${name}`, '-nodes', '-config', 'openssl.cnf']
    openssl(this.dir, 'req', '-new', ...KEYS[kind], ...subject, ...files)
    writeFileSync(join(this.dir, `${name}.ext`), `${extensions}\n`)
    const dates = [...(from ? ['-startdate', from] : []), ...(until ? ['-enddate', until] : [])]
    const inOut = ['-in', `${name}.csr.pem`, '-out', `${name}.crt.pem`, '-extfile', `${name}.ext`]
    openssl(this.dir, 'ca', '-batch', '-config', 'openssl.cnf', ...dates, ...inOut)
  }

  revoke(...names: readonly string[]): void {
    for (const name of names) {
      const reason = ['-crl_reason', 'keyCompromise']
      openssl(this.dir, 'ca', '-config', 'openssl.cnf', '-revoke', `${name}.crt.pem`, ...reason)
    }
    openssl(this.dir, 'ca', '-config', 'openssl.cnf', '-gencrl', '-out', 'crl.pem')
  }

  read(file: string): string {
    return readFileSync(join(this.dir, file), 'utf8')
  }
}

/** The certificate of `name` in a directory. */
export function certificateIn(dir: string, name: string): X509Certificate {
  const file = join(dir, `${name}.crt.pem`)
  return readCertificates(readFileSync(file, 'utf8'), file)[0] as X509Certificate
}
