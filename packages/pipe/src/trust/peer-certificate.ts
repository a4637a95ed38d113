/**
 * The certificate of the peer on a TLS connection, resumed ones included. When a client resumes, the server sends no
 * certificate again and Node knows none, so a client keeps the one of the full handshake beside each ticket. (A server
 * finds that of its client in the ticket, though not the intermediate ones.)
 * Invariant: a certificate that was kept counts only where the ticket that it was kept with was accepted.
 */
import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'

/** What a client needs to resume with a server. */
export interface KeptSession {
  /** As the event `session` brings it. */
  readonly ticket: Buffer
  /** What the server showed at the full handshake. */
  readonly certificate: X509Certificate
}

/**
 * @param kept what the client dialled with, if it did not begin anew.
 * @example
 * const certificate = peerCertificate(socket, kept)
 * const fault = store.checkPeer(certificate, { role: 'server', name: 'server' })
 * socket.on('session', (ticket) => { kept = { ticket, certificate } })
 */
export function peerCertificate(
  socket: TLSSocket,
  kept?: KeptSession,
): X509Certificate | undefined {
  return socket.isSessionReused()
    ? (socket.getPeerX509Certificate() ?? kept?.certificate)
    : socket.getPeerX509Certificate()
}
