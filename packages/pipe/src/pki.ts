/**
 * Who is who on the pipe, by itself: certificates, lists and invitations, without peers, sockets and HTTP. For programs
 * that only make or check them, as `sapwood pki` does; `index.ts` has all of this as well.
 */

export { Invitations } from './join/invitations.ts'
export { formatJoinToken, isServerAddress } from './join/join-token.ts'
export { Authority } from './pki/authority.ts'
export { installIdentity } from './pki/install-identity.ts'
export { keepCertificate, requestIdentity } from './pki/request-identity.ts'
export type { SubjectName } from './pki/subject-names.ts'
export { checkCommonName, checkName, readSubjectNames } from './pki/subject-names.ts'
export { writeFiles } from './pki/write-files.ts'
export { holderOf } from './trust/certificate-fault.ts'
export { fingerprintOf } from './trust/deny-list.ts'
export { readCertificates } from './trust/pem.ts'
export { readTrust } from './trust/trust-store.ts'
