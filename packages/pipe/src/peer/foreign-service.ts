/** Tells from the error of a handshake that what listens there is another service: TLS of another protocol, or no TLS at all. */

/** As Node names them: no protocol in common, an answer in plain text. */
const CODES: ReadonlySet<unknown> = new Set([
  'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
])

/** @example isForeignService(Object.assign(new Error(), { code: 'ERR_SSL_WRONG_VERSION_NUMBER' })) // true */
export function isForeignService(error: unknown): boolean {
  return error instanceof Error && CODES.has((error as NodeJS.ErrnoException).code)
}
