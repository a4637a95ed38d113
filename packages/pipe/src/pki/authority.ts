/**
 * A CA in a directory: it makes certificates, signs requests, and revokes.
 * Invariant: whatever it gives out is in its log first; a directory never holds a key and a certificate that do not
 * belong together because of it.
 */
import { createPublicKey, type KeyObject, type X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { certificateNames } from '@sapwood/auth'
import { SapwoodError } from '@sapwood/core'
import { Invitations } from '../join/invitations.ts'
import { normalHex } from '../trust/der.ts'
import { readCertificates, readKey } from '../trust/pem.ts'
import { readFiles, required } from '../trust/trust-files.ts'
import type { Issued } from './issued-log.ts'
import { noteIssued, readIssued } from './issued-log.ts'
import { withLock } from './lock.ts'
import type { Signer, Use } from './make-certificate.ts'
import { checkDays, makeAuthorityCertificate, makeCertificate } from './make-certificate.ts'
import { makeCrl } from './make-crl.ts'
import { readRequest } from './make-request.ts'
import type { SubjectName } from './subject-names.ts'
import { checkCommonName, checkName, formatSubjectName, subjectName } from './subject-names.ts'
import { makeDirectory, writeFiles } from './write-files.ts'
import { keyPem, makeKey } from './x509.ts'

const CA_CERT = 'ca.crt.pem'
const CA_KEY = 'ca.key.pem'
const CRL = 'crl.pem'
const INIT = 'make a CA with sapwood pki init'
const BOTH: readonly Use[] = ['client', 'server']

/** Days that a CA and what it signs are valid for. */
export const AUTHORITY_DAYS = 3650
export const CERTIFICATE_DAYS = 365

export interface InitOptions {
  /** What people see; it means nothing. 1 to 64 letters, digits, spaces and `. _ ( ) -`. */
  readonly commonName?: string
  readonly days?: number
  /** The wall clock, in milliseconds. */
  readonly now?: () => number
}

export interface IssueOptions {
  readonly days?: number
  /** Entries besides the name. */
  readonly also?: readonly SubjectName[]
  /** What it may be on a link (default: both). */
  readonly uses?: readonly Use[]
}

/** A certificate that was made, and where it is. */
export interface IssuedCertificate {
  readonly certificate: X509Certificate
  readonly files: readonly string[]
}

export interface SignedRequest {
  readonly certificate: X509Certificate
  /** Entries that the request asked for in vain, in the form of `--san`. */
  readonly ignored: readonly string[]
}

export interface Revoked {
  /** Those that are revoked now, also where they were before. */
  readonly certificates: readonly Issued[]
  /** How many invitations were taken back. */
  readonly invitations: number
}

/**
 * @example
 * await Authority.init('pki')
 * const authority = await Authority.open('pki')
 * await authority.issue('fileserver')
 */
export class Authority {
  readonly dir: string
  readonly signer: Signer
  readonly #now: () => number

  private constructor(dir: string, signer: Signer, now: () => number) {
    this.dir = dir
    this.signer = signer
    this.#now = now
  }

  /**
   * Makes a CA, with an empty revocation list, where there is none (CK-01).
   * @throws SapwoodError AUTHORITY_EXISTS, NAME_INVALID, LIFETIME_INVALID, FILE_NOT_WRITTEN
   */
  static async init(dir: string, options: InitOptions = {}): Promise<Authority> {
    const { commonName = 'Sapwood CA', days = AUTHORITY_DAYS, now = Date.now } = options
    checkCommonName(commonName)
    checkDays(days)
    const key = makeKey()
    const certificate = await makeAuthorityCertificate(key, commonName, days, now())
    const signer = { certificate, key }
    const crl = await makeCrl(signer, [], undefined, now())
    await makeDirectory(dir)
    await withLock(dir, async () => {
      const there = await readFiles(dir, [CA_CERT, CA_KEY])
      for (const [file, text] of Object.entries(there)) {
        if (text === undefined) continue
        const detail = `${join(dir, file)} is there already; use that CA, or name another directory`
        throw new SapwoodError('AUTHORITY_EXISTS', detail)
      }
      await writeFiles([
        { file: join(dir, CA_KEY), text: keyPem(key), isSecret: true },
        { file: join(dir, CRL), text: crl },
        { file: join(dir, CA_CERT), text: certificate.toString() },
      ])
    })
    return new Authority(dir, signer, now)
  }

  /**
   * The CA of a directory, whoever made it: its key has to be there, without a pass phrase.
   * @throws SapwoodError FILE_MISSING, FILE_UNREADABLE, PEM_INVALID, CERTIFICATE_INVALID, KEY_INVALID,
   * KEY_ENCRYPTED, KEY_FOREIGN
   */
  static async open(dir: string, now: () => number = Date.now): Promise<Authority> {
    const texts = await readFiles(dir, [CA_CERT, CA_KEY])
    const cert = required(texts, dir, CA_CERT, INIT)
    const secret = required(texts, dir, CA_KEY, `${INIT}, or do this where the key of the CA is`)
    const key = readKey(secret, join(dir, CA_KEY))
    const certificate = readCertificates(cert, join(dir, CA_CERT)).find((each) =>
      each.checkPrivateKey(key),
    )
    if (certificate !== undefined) return new Authority(dir, { certificate, key }, now)
    const detail = `${join(dir, CA_KEY)} is not the key of ${join(dir, CA_CERT)}; take the two that were made together`
    throw new SapwoodError('KEY_FOREIGN', detail)
  }

  /**
   * Makes a key and a certificate for `name`, and puts both into the directory (CK-02, CK-03). A former certificate of
   * that name stays valid until it runs out or is revoked.
   * @throws SapwoodError NAME_INVALID, LIFETIME_INVALID, FILE_NOT_WRITTEN
   */
  async issue(name: string, options: IssueOptions = {}): Promise<IssuedCertificate> {
    const key = makeKey()
    const certificate = await this.#certify(name, createPublicKey(key), options)
    const files = [join(this.dir, `${name}.key.pem`), join(this.dir, `${name}.crt.pem`)] as const
    await writeFiles([
      { file: files[0], text: keyPem(key), isSecret: true },
      { file: files[1], text: certificate.toString() },
    ])
    return { certificate, files }
  }

  /**
   * Signs a request for `name`. What the request says of names counts for nothing: who signs decides (CK-03).
   * @param request PEM.
   * @throws SapwoodError NAME_INVALID, LIFETIME_INVALID, PEM_INVALID, CSR_INVALID, KEY_UNSUITABLE, FILE_NOT_WRITTEN
   */
  async sign(name: string, request: string, options: IssueOptions = {}): Promise<SignedRequest> {
    const { publicKey, asked } = await readRequest(request, `the request of ${name}`)
    const certificate = await this.#certify(name, publicKey, options)
    const given = new Set([subjectName(name), ...(options.also ?? [])].map(formatSubjectName))
    return { certificate, ignored: asked.filter((entry) => !given.has(entry)) }
  }

  /**
   * Revokes every certificate that bears `name` and has not run out, and takes back its invitations.
   * @throws SapwoodError CERTIFICATE_UNKNOWN, FILE_NOT_WRITTEN
   */
  async revoke(name: string): Promise<Revoked> {
    const lower = checkName(name).toLowerCase()
    const invitations = await new Invitations(this.dir, this.#now).takeBack(name)
    return withLock(this.dir, async () => {
      const now = this.#now()
      const file = `${name}.crt.pem`
      const texts = await readFiles(this.dir, [CRL, file])
      const found = new Map<string, Issued>()
      const known = [...(await readIssued(this.dir)), ...this.#certificatesOf(texts[file], file)]
      for (const issued of known) {
        const isMeant = issued.names.some((each) => each.toLowerCase() === lower)
        if (isMeant && issued.until > now) found.set(issued.serial, issued)
      }
      if (found.size === 0 && invitations === 0) {
        const detail = `no certificate of ${name} is valid as far as ${this.dir} knows; the file deny there keeps out any name`
        throw new SapwoodError('CERTIFICATE_UNKNOWN', detail)
      }
      const text = await makeCrl(this.signer, [...found.keys()], texts[CRL], now)
      await writeFiles([{ file: join(this.dir, CRL), text }])
      return { certificates: [...found.values()], invitations }
    })
  }

  async #certify(
    name: string,
    publicKey: KeyObject,
    { days = CERTIFICATE_DAYS, also = [], uses = BOTH }: IssueOptions,
  ): Promise<X509Certificate> {
    const names = [subjectName(checkName(name)), ...also]
    const order = { publicKey, commonName: name, names, uses, days, now: this.#now() }
    const certificate = await makeCertificate(this.signer, order)
    await noteIssued(this.dir, issuedOf(certificate))
    return certificate
  }

  /** Of a CA that other programs kept there is no log, but perhaps the certificate itself. */
  #certificatesOf(text: string | undefined, file: string): Issued[] {
    if (text === undefined) return []
    return readCertificates(text, join(this.dir, file))
      .filter((each) => each.checkIssued(this.signer.certificate))
      .map(issuedOf)
  }
}

function issuedOf(certificate: X509Certificate): Issued {
  return {
    serial: normalHex(certificate.serialNumber),
    until: Date.parse(certificate.validTo),
    names: certificateNames(certificate.subjectAltName).names,
  }
}
