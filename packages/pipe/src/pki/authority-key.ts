/** How a CA's certificates and lists say which key signed them. */
import { loadX509 } from './x509.ts'

type Certificate = import('@peculiar/x509').X509Certificate
type Extension = import('@peculiar/x509').Extension

/** The identifier of a CA's key as its own certificate has it: programs make them in different ways. */
export async function authorityKeyOf(issuer: Certificate): Promise<Extension> {
  const x509 = await loadX509()
  const own = issuer.getExtension(x509.SubjectKeyIdentifierExtension)
  if (own !== null) return new x509.AuthorityKeyIdentifierExtension(own.keyId)
  return x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey)
}
