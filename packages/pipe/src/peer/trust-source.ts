/**
 * Where a peer finds out who it is and whom it trusts: a `TrustStore` over a directory, or texts that a program has at hand.
 * Invariant: what it tells is whole at any moment.
 */

import { SapwoodError } from '@sapwood/core'
import type { PeerRole } from '../trust/certificate-fault.ts'
import type { Identity } from '../trust/identity.ts'
import { checkIdentity, readIdentity } from '../trust/identity.ts'
import { Trust } from '../trust/trust.ts'
import type { TrustChange } from '../trust/trust-store.ts'

/** A `TrustStore` is one. */
export interface TrustSource {
  readonly trust: Trust
  readonly identity: Identity
  /** Hears of every set that takes force after this one. Returns its undo. */
  onChange(listener: (change: TrustChange) => void): () => void
}

/** PEM, as text or bytes. */
export interface TrustMaterial {
  readonly key: string | Uint8Array
  /** The own certificate, intermediate ones behind it. */
  readonly cert: string | Uint8Array
  readonly ca: string | Uint8Array
  readonly crl?: string | Uint8Array
  /** Names and fingerprints, one a line. */
  readonly deny?: string
}

/**
 * What never changes.
 * @throws SapwoodError as `Trust`, `readIdentity` and `checkIdentity` do.
 */
export function fixedTrust(
  material: TrustMaterial,
  role: PeerRole,
  name: string,
  now: () => number,
): TrustSource {
  const { crl, deny } = material
  const text = (part: 'key' | 'cert' | 'ca' | 'crl'): string => textOf(material[part], part)
  const texts = { 'ca.crt.pem': text('ca'), 'crl.pem': crl && text('crl'), deny }
  const trust = new Trust(texts, { dir: 'options', now })
  const identity = readIdentity(text('cert'), text('key'), { cert: 'cert', key: 'key' })
  checkIdentity(identity, role, name, now())
  return { trust, identity, onChange: () => () => undefined }
}

/** @param pem of anything: JavaScript may leave out what the types demand. */
function textOf(pem: unknown, part: string): string {
  if (typeof pem === 'string') return pem
  if (pem instanceof Uint8Array) return Buffer.from(pem).toString()
  const detail = `${part} is no PEM; give key, cert and ca as text or bytes, or a trust`
  throw new SapwoodError('PEM_INVALID', detail)
}
