/** Writes values as TOML: `config show` and `config init` speak the language of the file. */

/**
 * @param value a text, a finite number, a boolean, or lists and tables of them.
 * @example tomlText({ who: 'anyone', may: ['subscribe'] }) // '{ who = "anyone", may = ["subscribe"] }'
 */
export function tomlText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(tomlText).join(', ')}]`
  if (typeof value === 'object' && value !== null) {
    const pairs = Object.entries(value).map(([key, item]) => `${key} = ${tomlText(item)}`)
    return `{ ${pairs.join(', ')} }`
  }
  // TOML's basic strings are JSON's, except that they may not hold a bare DEL
  return JSON.stringify(value).replaceAll('\x7f', '\\u007f')
}
