/**
 * The one error shape. A code that never changes, what went wrong and where, what to do next.
 * A caller's mistake is thrown as a SapwoodError; a peer's mistake travels as the same fields in a
 * `::error` or a problem document. Tests and programs look at the code, never at the text.
 */

export interface Fault {
  /** Stable, upper case, e.g. `PATH_INVALID`. */
  readonly code: string
  /** Cause, place and next step, in a sentence or two. */
  readonly detail: string
  /** The HTTP status that fits. */
  readonly status?: number
}

/**
 * @example
 * throw new SapwoodError('PATH_INVALID', 'an empty segment at the end of "a/"; remove the slash')
 */
export class SapwoodError extends Error implements Fault {
  readonly code: string
  readonly status: number

  constructor(code: string, detail: string, options: { status?: number; cause?: unknown } = {}) {
    super(detail, options)
    this.name = 'SapwoodError'
    this.code = code
    this.status = options.status ?? 400
  }

  get detail(): string {
    return this.message
  }
}

/** What may be said of anything that was thrown: its text, never its stack. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
