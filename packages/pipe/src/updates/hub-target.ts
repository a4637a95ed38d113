/**
 * Requests for a hub itself, on their way from a front through the pipe: their targets begin with `hub:`, which no caller can
 * write, since what a caller writes behind `/server` begins with a slash.
 * Invariant: only the routes that this file names are ever carried.
 */

const SCHEME = 'hub:'
/** Those of updates; what names a session by its token stays with the hub's own port. */
const ROUTES = /^\/(?:update(?:[/?]|$)|events(?:\?|$))/
/** The way of RestPipe's clients: a noun of the server, and the path as its arguments (scenario 10). */
const PUBLISH = '/publish//'

/** Is this what a front hands on to the hub? @param url a request target. */
export function isHubRoute(url: string): boolean {
  return ROUTES.test(url)
}

/** The target that the pipe carries. @param url one that `isHubRoute`. */
export function toHub(url: string): string {
  return SCHEME + url
}

/** Whether a target is for a hub, and so for nobody else. */
export function isForHub(target: string): boolean {
  return target.startsWith(SCHEME)
}

/**
 * What of its own port a hub is asked by a target of the pipe.
 * @returns undefined if it is for others; '' if it is for a hub, and no route of updates.
 * @example hubRouteOf('/publish//my/data') // '/update/my/data'
 */
export function hubRouteOf(target: string): string | undefined {
  if (target.startsWith(PUBLISH)) return `/update/${target.slice(PUBLISH.length)}`
  if (!isForHub(target)) return undefined
  const url = target.slice(SCHEME.length)
  return isHubRoute(url) ? url : ''
}
