/**
 * The path in a URL: split on `/` first, then each segment is decoded, so that an escaped slash can never become
 * a separator.
 * Invariant: what comes out is a legal path, or a fault that says why not.
 */
import type { Fault, PathLimits } from '@sapwood/core'
import { CONNECT, DISCONNECT, isControlPath, pathFault } from '@sapwood/core'
import { fault } from './problem.ts'

/** Decodes what follows `/update/`. */
export function decodePath(raw: string, limits: PathLimits): string | Fault {
  let path = raw
  if (raw.includes('%')) {
    const segments = raw.split('/')
    for (let i = 0; i < segments.length; i++) {
      const decoded = decodeSegment(segments[i] as string)
      if (decoded === undefined || decoded.includes('/')) {
        const detail = `segment ${i + 1} of the path decodes to no legal segment; encode UTF-8, and no slash`
        return fault('PATH_INVALID', detail)
      }
      segments[i] = decoded
    }
    path = segments.join('/')
  }
  return publishable(path, limits) ?? path
}

/** Why nothing can be published at `path` over HTTP, or undefined if it can. */
export function publishable(path: string, limits: PathLimits): Fault | undefined {
  const wrong = pathFault(path, limits)
  if (wrong !== undefined) return fault('PATH_INVALID', `the path ${wrong}`)
  if (isControlPath(path) && path !== CONNECT && path !== DISCONNECT) {
    const detail = `${path.slice(0, 64)} cannot be sent; only ::connect and ::disconnect can`
    return fault('PATH_CONTROL', detail)
  }
  return undefined
}

/** A percent-encoded segment as text; undefined when it is not UTF-8. */
export function decodeSegment(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}

/** Nobody changes what is read. */
const NO_PARAMETERS = new URLSearchParams()

/**
 * The query of a subscribe request. A parameter that nobody knows is a mistake, not silence: a misspelt `path`
 * would otherwise subscribe nothing.
 */
export function readQuery(query: string, known: readonly string[]): URLSearchParams | Fault {
  if (query === '') return NO_PARAMETERS
  const parameters = new URLSearchParams(query)
  for (const name of parameters.keys()) {
    if (!known.includes(name)) {
      const detail = `the query parameter "${name.slice(0, 64)}" is not known; known here: ${known.join(', ')}`
      return fault('QUERY_UNKNOWN', detail)
    }
  }
  return parameters
}
