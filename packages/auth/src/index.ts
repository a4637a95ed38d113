/** Who is calling: credentials, keys and the portal. */
export type { CertificateNames } from './certificates.ts'
export { certificateNames, certificatePrincipal } from './certificates.ts'
export { keyChecker } from './keys.ts'
export type { Checker, Credential } from './portal.ts'
export { CREDENTIAL_INVALID, Portal } from './portal.ts'
