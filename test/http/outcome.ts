/** How a question went, in short, as the response to its asker says it. */
import type { Answer } from './support.ts'

/** Status, return code, and the code of a problem or else the body. */
export function outcome({ status, headers, text }: Answer): [number, string, string] {
  return [status, String(headers['x-event-return-code']), codeOf(text)]
}

function codeOf(text: string): string {
  try {
    return JSON.parse(text).code ?? text
  } catch {
    return text
  }
}
