/** Media types as the house compares them: without parameters, in lower case, so that `===` decides (RP-05). */

/** @example mediaType('Application/JSON; charset=utf-8') // 'application/json' */
export function mediaType(header: string | undefined): string {
  if (header === undefined) return ''
  const end = header.indexOf(';')
  return (end < 0 ? header : header.slice(0, end)).trim().toLowerCase()
}
