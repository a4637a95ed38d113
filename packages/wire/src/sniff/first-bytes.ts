/** Matchers that look at a fixed prefix, or at nothing: HTTP/2, SSH, PROXY, silent peers, anybody. */
import { ascii } from './latin1.ts'
import type { Matcher, Verdict } from './sniffed.ts'

const HTTP2_PREFACE = ascii('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const SSH = ascii('SSH-')
/** The first bytes of a PROXY header of version 1. */
export const PROXY_V1: Uint8Array = ascii('PROXY ')
/** The signature of a PROXY header of version 2. */
export const PROXY_V2: Uint8Array = ascii('\r\n\r\n\0\r\nQUIT\n')

/** A client that starts HTTP/2 at once, without Upgrade (RFC 9113 section 3.4). */
export const http2: Matcher = ({ bytes }) => startsWith(bytes, HTTP2_PREFACE)

/** A client's half of the SSH version exchange (RFC 4253 section 4.2). */
export const ssh: Matcher = ({ bytes }) => startsWith(bytes, SSH)

/** A PROXY header of version 1 or 2; `parseProxyHeader` reads it. */
export const proxy: Matcher = ({ bytes }) => {
  const first = startsWith(bytes, PROXY_V1)
  return first === 'no' ? startsWith(bytes, PROXY_V2) : first
}

/** A peer that sends nothing until the time is up, or ends without a byte: it waits for the server to speak. */
export const silent: Matcher = ({ bytes, ended, late }) => {
  if (bytes.length > 0) return 'no'
  return ended || late ? 'yes' : 'more'
}

/** Everybody, before the first byte already. */
export const any: Matcher = () => 'yes'

/** Do the bytes begin with `prefix`? */
export function startsWith(bytes: Uint8Array, prefix: Uint8Array): Verdict {
  const length = Math.min(bytes.length, prefix.length)
  for (let i = 0; i < length; i++) if (bytes[i] !== prefix[i]) return 'no'
  return length === prefix.length ? 'yes' : 'more'
}
