/** Removes what the build made, also what no source stands behind any more. */
import { readdirSync, rmSync } from 'node:fs'

rmSync('test/.out', { recursive: true, force: true })
for (const name of readdirSync('packages')) {
  rmSync(`packages/${name}/dist`, { recursive: true, force: true })
}
