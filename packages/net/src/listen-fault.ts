/** Why a listener cannot be where it was wanted, in words that tell what to do. */
import { SapwoodError } from '@sapwood/core'
import type { Address } from './address.ts'
import { formatAddress, isPath } from './address.ts'

/** `PORT_IN_USE`, `PORT_FORBIDDEN`, `ADDRESS_INVALID` or `LISTEN_FAILED`, for what the system said. */
export function listenFault(error: NodeJS.ErrnoException, address: Address): SapwoodError {
  const place = formatAddress(address)
  const cause = { cause: error }
  if (error.code === 'EADDRINUSE') {
    const next = isPath(address)
      ? 'stop that one, or remove the file if nobody listens'
      : 'stop that one, or choose another port (0 takes a free one)'
    return new SapwoodError('PORT_IN_USE', `${place} is taken by another program; ${next}`, cause)
  }
  if (error.code === 'EACCES') {
    const detail = `${place} needs more rights; choose a port above 1023`
    return new SapwoodError('PORT_FORBIDDEN', detail, cause)
  }
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') {
    const detail = `${place} is no address of this machine; 127.0.0.1 and 0.0.0.0 always are`
    return new SapwoodError('ADDRESS_INVALID', detail, cause)
  }
  return new SapwoodError('LISTEN_FAILED', `cannot listen on ${place}: ${error.message}`, cause)
}
