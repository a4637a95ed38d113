/**
 * The library that makes certificates, loaded when the first one is made: links live without it, and it takes 110 ms.
 * Keys go between it and `node:crypto` here, so that a CA of any usual kind can sign: EC, RSA, Ed25519.
 */
import {
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  type webcrypto as WebCrypto,
  webcrypto,
} from 'node:crypto'
import { SapwoodError } from '@sapwood/core'

export type X509 = typeof import('@peculiar/x509')

/** A private key in the form in which certificates, requests and lists are signed with it. */
export interface SigningKey {
  readonly keys: WebCrypto.CryptoKeyPair
  readonly algorithm: SigningAlgorithm
}

interface SigningAlgorithm {
  readonly name: string
  readonly namedCurve?: string
  readonly hash?: string
}

const CURVES: Readonly<Record<string, SigningAlgorithm>> = {
  prime256v1: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  secp384r1: { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
  secp521r1: { name: 'ECDSA', namedCurve: 'P-521', hash: 'SHA-512' },
}

const LEAST_RSA_BITS = 2048

let loading: Promise<X509> | undefined

export function loadX509(): Promise<X509> {
  loading ??= load()
  return loading
}

async function load(): Promise<X509> {
  // it has to be there before the library is
  await import('reflect-metadata')
  return import('@peculiar/x509')
}

/** A fresh key on P-256. */
export function makeKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
}

export function keyPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** @throws SapwoodError KEY_UNSUITABLE */
export async function signingKey(key: KeyObject): Promise<SigningKey> {
  const algorithm = algorithmOf(key)
  const { subtle } = webcrypto
  const secret = key.export({ type: 'pkcs8', format: 'der' })
  const open = createPublicKey(key).export({ type: 'spki', format: 'der' })
  const [privateKey, publicKey] = await Promise.all([
    subtle.importKey('pkcs8', secret, algorithm, false, ['sign']),
    subtle.importKey('spki', open, algorithm, true, ['verify']),
  ])
  return { keys: { privateKey, publicKey }, algorithm }
}

/**
 * How a key signs. Keys that nobody should trust any more, and kinds that links cannot use, are refused.
 * @throws SapwoodError KEY_UNSUITABLE
 */
export function algorithmOf({
  asymmetricKeyType,
  asymmetricKeyDetails,
}: KeyObject): SigningAlgorithm {
  const { namedCurve = '', modulusLength = 0 } = asymmetricKeyDetails ?? {}
  if (asymmetricKeyType === 'ed25519') return { name: 'Ed25519' }
  if (asymmetricKeyType === 'rsa' && modulusLength >= LEAST_RSA_BITS) {
    return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  }
  const curve = asymmetricKeyType === 'ec' ? CURVES[namedCurve] : undefined
  if (curve !== undefined) return curve
  const what = [asymmetricKeyType, namedCurve || modulusLength || ''].join(' ').trim()
  const detail = `a key of ${what} cannot be used; P-256, P-384, P-521, Ed25519 and RSA from ${LEAST_RSA_BITS} bits can`
  throw new SapwoodError('KEY_UNSUITABLE', detail)
}
