/** The caller's helper: an answer whose code is not 0 becomes an error (RP-17). */
import { SapwoodError } from '@sapwood/core'

const CODE_HEADER = 'x-event-return-code'
const LONGEST_TEXT = 1024 * 1024

/** What a handler answered that was no success. Its `code` is `ANSWER_NOT_ZERO`. */
export class AnswerError extends SapwoodError {
  /** The handler's own 1 to 248, or a reserved one such as 251: it threw. */
  readonly returnCode: number
  /** Of what the handler threw: its class, and its stack where the operator shows it. */
  readonly exceptionClass: string | undefined
  readonly traceback: string | undefined
  /** The body of the answer, as text. */
  readonly body: string

  constructor(returnCode: number, status: number, body: string) {
    const { text, exception } = read(body)
    super('ANSWER_NOT_ZERO', `the answer has code ${returnCode}: ${text}`, { status })
    this.returnCode = returnCode
    this.exceptionClass = exception.class
    this.traceback = exception.traceback
    this.body = body
  }
}

/**
 * Gives back an answer of `/client/<name>/…` or `/server/…` if its code is 0; its body is not touched then.
 * @throws AnswerError with what the handler said, if it has another code.
 * @throws SapwoodError with the code of the problem, if nobody was asked.
 * @example
 * const response = await raiseForCode(await fetch('http://127.0.0.1:8790/server/time'))
 * console.log(await response.json())
 */
export async function raiseForCode(response: Response): Promise<Response> {
  const said = response.headers.get(CODE_HEADER)
  if (said === '0' || (said === null && response.ok)) return response
  const body = (await response.text()).slice(0, LONGEST_TEXT)
  const { status, statusText } = response
  if (said !== null) throw new AnswerError(Number(said), status, body)
  const { code = 'ANSWER_NOT_ZERO', detail = `${status} ${statusText}, and no code` } = parsed(body)
  throw new SapwoodError(String(code), String(detail), { status })
}

interface Exception {
  readonly message?: string
  readonly class?: string
  readonly traceback?: string
}

function read(body: string): { readonly text: string; readonly exception: Exception } {
  const { exception, code, detail } = parsed(body)
  const thrown: Exception = typeof exception === 'object' && exception !== null ? exception : {}
  if (thrown.message !== undefined) return { text: thrown.message, exception: thrown }
  if (typeof detail === 'string') return { text: `${code}: ${detail}`, exception: thrown }
  return { text: body.slice(0, 200) || 'nothing else was said', exception: thrown }
}

function parsed(body: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}
