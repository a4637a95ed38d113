/** Errors that calls of the client end with. */
import { SapwoodError } from '@sapwood/core'

/** @param status the HTTP status that fits. */
export function failure(code: string, detail: string, status = 400): SapwoodError {
  return new SapwoodError(code, detail, { status })
}
