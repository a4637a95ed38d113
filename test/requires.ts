/**
 * What a test needs besides Node. Where it is missing, the test is skipped by its name with the reason; with CI=true
 * that is a failure, since nobody would ever notice.
 */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Programs that go by several names; any other goes by its own. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  chromium: ['chromium', 'chromium-browser', 'google-chrome'],
}

/** Where a program is, or undefined. */
export function findProgram(program: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  const names = NAMES[program] ?? [program]
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isProgram)
}

/**
 * Options of a test that needs programs.
 * @throws Error with CI=true, if one is missing.
 * @example test('a page shows it', requires('chromium', 'curl'), async (t) => { … })
 */
export function requires(...programs: readonly string[]): { readonly skip?: string } {
  const missing = programs.filter((program) => findProgram(program) === undefined)
  if (missing.length === 0) return {}
  const reason = `needs ${missing.join(' and ')}, not found on this machine`
  if (process.env.CI === 'true') throw new Error(`with CI=true nothing is skipped: ${reason}`)
  return { skip: reason }
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
