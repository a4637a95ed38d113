/** Who is calling: credentials, keys and the portal. */
export { keyChecker } from './keys.ts'
export type { Checker, Credential } from './portal.ts'
export { CREDENTIAL_INVALID, Portal } from './portal.ts'
