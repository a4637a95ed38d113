/** Whom rules mean by a peer. Invariant: the certificate was verified, and bears the name. */
import type { X509Certificate } from 'node:crypto'
import { certificateNames } from '@sapwood/auth'
import type { Principal } from '@sapwood/core'

/**
 * @param name what its session is called.
 * @param certificate what it shows now: its other names and URIs are told by this.
 * @example peerPrincipal('alpha', certificate) // { id: 'cert:alpha', also: ['cert:https://example.org/a'], trusted: false }
 */
export function peerPrincipal(name: string, certificate?: X509Certificate): Principal {
  const { names, uris } = certificateNames(certificate?.subjectAltName)
  const also = [...names, ...uris].filter((one) => one !== name).map((one) => `cert:${one}`)
  return { id: `cert:${name}`, trusted: false, ...(also.length > 0 && { also }) }
}
