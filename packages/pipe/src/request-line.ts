/**
 * Method and target of a request that no HTTP request line brought: programs and sessions may say anything.
 * Invariant: what comes out can stand in a request line, and reads back as what was said.
 */
import { SapwoodError } from '@sapwood/core'

const METHOD = /^[A-Za-z-]{1,32}$/

/** Neither a space nor `_` may stand in it: with either the name of another handler could be put together. */
export function isMethod(text: string): boolean {
  return METHOD.test(text)
}

/** @throws SapwoodError HEAD_INVALID */
export function checkMethod(verb: string): string {
  if (isMethod(verb)) return verb
  const detail = 'a verb has 1 to 32 letters and `-`, such as GET'
  throw new SapwoodError('HEAD_INVALID', detail, { status: 400 })
}

/** What a path may be made of as it is. */
const PLAIN = /^[\w./-]*$/
/** What a query may not hold as it is. */
const UNSAID = /[^!-~]+|#/gu

/**
 * The request target that says this.
 * @throws SapwoodError TARGET_INVALID for text that is no Unicode.
 * @example targetOf('cat', ['a b', ''], 'x=1') // '/cat//a%20b/?x=1'
 */
export function targetOf(noun: string, args: readonly string[] = [], query = ''): string {
  try {
    const path = PLAIN.test(noun) ? noun : noun.split('/').map(encodeURIComponent).join('/')
    const rest = args.length === 0 ? '' : `//${args.map(encodeURIComponent).join('/')}`
    return `/${path}${rest}${query === '' ? '' : `?${query.replace(UNSAID, encodeURIComponent)}`}`
  } catch (cause) {
    const detail = 'noun, arguments or query hold half of a character; send text'
    throw new SapwoodError('TARGET_INVALID', detail, { status: 400, cause })
  }
}
