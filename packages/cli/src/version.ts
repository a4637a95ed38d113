/** Which sapwood this is. */
import { createRequire } from 'node:module'

/** What is spoken on the wire, see the protocol's page in `docs/`. */
const PROTOCOL = 'sapwood.v1'

/** @example 'sapwood 0.1.0, Node v20.20.2, protocol sapwood.v1' */
export function versionText(): string {
  const { version } = createRequire(import.meta.url)('../package.json') as { version: string }
  return `sapwood ${version}, Node ${process.version}, protocol ${PROTOCOL}`
}
