/**
 * The two messages of `sapwood-join/1`: whoever was invited asks once, the server answers once, and the connection ends.
 * Each is JSON in UTF-8 behind its length, four bytes, the most significant first.
 * Invariant: what cannot be read is one and the same refusal as a wrong secret.
 */
import type { Fault } from '@sapwood/core'
import { LengthPrefixFramer, PIPE_JOIN_PROTOCOL } from '@sapwood/wire'
import { SECRET_BYTES } from './join-token.ts'

/** The protocol of TLS (ALPN) under which nobody has to show a certificate. */
export const JOIN_PROTOCOL: typeof PIPE_JOIN_PROTOCOL = PIPE_JOIN_PROTOCOL

/** Bytes of a message. An answer holds a revocation list, which grows. */
export const JOIN_LIMITS: { readonly request: number; readonly answer: number } = {
  request: 32_768,
  answer: 32 * 1024 * 1024,
}

export interface JoinRequest {
  readonly secret: Uint8Array
  /** A request for a certificate, PEM. Its names count for nothing. */
  readonly csr: string
}

/** PEM texts. */
export interface JoinAnswer {
  readonly certificate: string
  readonly ca: string
  readonly crl?: string | undefined
}

/** Said of every failure, so that nobody learns by trying. */
export const JOIN_REFUSED: Fault = Object.freeze({
  code: 'JOIN_REFUSED',
  detail:
    'the server takes this invitation no more, or never made it; have another one made: sapwood pki invite NAME',
})

/** For one direction of a connection. */
export function joinFramer(of: keyof typeof JOIN_LIMITS): LengthPrefixFramer {
  return new LengthPrefixFramer({ size: 4, endian: 'big', limit: JOIN_LIMITS[of] })
}

export function encodeJoinRequest({ secret, csr }: JoinRequest): Uint8Array {
  return encode({ secret: Buffer.from(secret).toString('base64url'), csr })
}

/** Undefined where it is none. */
export function decodeJoinRequest(bytes: Uint8Array): JoinRequest | undefined {
  const { secret, csr } = decode(bytes)
  if (typeof secret !== 'string' || typeof csr !== 'string') return undefined
  const decoded = new Uint8Array(Buffer.from(secret, 'base64url'))
  return decoded.length === SECRET_BYTES ? { secret: decoded, csr } : undefined
}

/** @param answer what was made, or undefined for the one refusal. */
export function encodeJoinAnswer(answer: JoinAnswer | undefined): Uint8Array {
  return encode(answer ?? JOIN_REFUSED)
}

/** Anything but an answer is a refusal. */
export function decodeJoinAnswer(bytes: Uint8Array): JoinAnswer | Fault {
  const { certificate, ca, crl } = decode(bytes)
  if (typeof certificate !== 'string' || typeof ca !== 'string') return JOIN_REFUSED
  return { certificate, ca, ...(typeof crl === 'string' && { crl }) }
}

function encode(value: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}

function decode(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}
