/** Who is known by a certificate in the directory, though they may never have been here. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { checkName } from '../pki/subject-names.ts'

/**
 * Does the directory have a certificate of `name`? Anything may be asked; what cannot be a name is not known. It looks in
 * this very call, since a certificate counts from the moment that it is there.
 * @example isCertified('pki', 'fileserver') // whether there is pki/fileserver.crt.pem
 */
export function isCertified(dir: string, name: string): boolean {
  try {
    const file = statSync(join(dir, `${checkName(name)}.crt.pem`), { throwIfNoEntry: false })
    return file?.isFile() ?? false
  } catch {
    return false
  }
}
