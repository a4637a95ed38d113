/**
 * What is wrong with a text that is no JSON, and on which line. The parser says of some mistakes at which position they are,
 * of others it shows what stands around them.
 * Invariant: a text that ends too soon is wrong on the last line that has anything.
 */
import { reasonOf } from '@sapwood/core'

export interface JsonFault {
  readonly fault: string
  readonly line: number
}

/** The mistake of which the parser tells no position, and what it shows instead. */
const TOKEN = /^(Unexpected token .+?), (?:\.\.\.)?"[\s\S]*$/

/** @returns undefined if it is JSON. */
export function jsonFault(text: string): JsonFault | undefined {
  const said = messageOf(text)
  if (said === undefined) return undefined
  const position = /at position (\d+)/.exec(said)?.[1]
  if (position === undefined && TOKEN.test(said)) {
    return { fault: said.replace(TOKEN, '$1'), line: lineOfToken(text.split('\n')) }
  }
  const before = text.slice(0, Number(position ?? text.length))
  const isToEnd = text.slice(before.length).trim() === ''
  const fault = said.replace(/(?: in JSON)? at position [\s\S]*/, '')
  return { fault, line: (isToEnd ? before.trimEnd() : before).split('\n').length }
}

/** The first line at the end of which the mistake has been made. Lines before it are the beginning of some JSON. */
function lineOfToken(lines: readonly string[]): number {
  let first = 0
  let last = lines.length - 1
  while (first < last) {
    const middle = Math.floor((first + last) / 2)
    if (TOKEN.test(messageOf(lines.slice(0, middle + 1).join('\n')) ?? '')) last = middle
    else first = middle + 1
  }
  return first + 1
}

function messageOf(text: string): string | undefined {
  try {
    JSON.parse(text)
    return undefined
  } catch (thrown) {
    return reasonOf(thrown)
  }
}
