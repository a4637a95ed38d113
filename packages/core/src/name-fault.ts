/** What somebody may be called, said once for those who take a name and those who ask for one. */

/** The grammar in words. */
export const NAME_FORM = '1 to 128 of A-Z a-z 0-9 . _ -'

const NAME = /^[A-Za-z0-9._-]{1,128}$/
const ID = /^.+-[A-Za-z0-9]{32}-[0-9]+$/

/** Can `text` be asked for by name? Ids have that form as well. */
export function isName(text: string): boolean {
  return NAME.test(text) && !isDots(text)
}

/** Why nobody may be called `name`, or undefined if somebody may. `own` is the controller's own name. */
export function nameFault(name: string, own = 'hub'): string | undefined {
  if (!NAME.test(name)) return `must be ${NAME_FORM}`
  if (isDots(name)) return 'must be more than dots'
  if (name === own) return 'is the hub itself'
  return ID.test(name) ? 'has the form of an id' : undefined
}

/** These two are taken out of a URL before it is sent. */
function isDots(name: string): boolean {
  return name === '.' || name === '..'
}
