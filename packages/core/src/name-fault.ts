/** What somebody may be called, said once for those who take a name and those who ask for one. */

/** The grammar in words. A URL loses `.` and `..` before it is sent. */
export const NAME_FORM = '1 to 128 of A-Z a-z 0-9 . _ -, and neither . nor ..'

const NAME = /^(?!\.\.?$)[A-Za-z0-9._-]{1,128}$/
const ID = /^.+-[A-Za-z0-9]{32}-[0-9]+$/

/** Can `text` be asked for by name? Ids have that form as well. */
export function isName(text: string): boolean {
  return NAME.test(text)
}

/** Why nobody may be called `name`, or undefined if somebody may. `own` is the controller's own name. */
export function nameFault(name: string, own = 'hub'): string | undefined {
  if (!isName(name)) return `must be ${NAME_FORM}`
  if (name === own) return 'is the hub itself'
  return ID.test(name) ? 'has the form of an id' : undefined
}
