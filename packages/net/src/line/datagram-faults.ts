/** What the line form over UDP has to refuse. */
import type { Fault } from '@sapwood/core'

/** Keys that may be checked at a time: until then their datagrams are held. */
export const CHECKS = 256

export const LIMIT_CHECKS: Fault = {
  code: 'LIMIT_CHECKS',
  detail: `${CHECKS} keys are being checked already; send it again in a moment`,
  status: 503,
}

/** @param addresses as many as there may be. */
export function addressesFull(addresses: number): Fault {
  const detail = `${addresses} addresses are served already; come back later, or raise line.addresses`
  return { code: 'LIMIT_ADDRESSES', detail, status: 503 }
}

/** @param path of the update. */
export function updateTooLarge(path: string): Fault {
  const detail = `an update of ${path} is longer than a datagram can be; follow it over TCP`
  return { code: 'DATAGRAM_TOO_LARGE', detail }
}
