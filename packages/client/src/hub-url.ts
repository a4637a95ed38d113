/** Addresses of hubs. */

/**
 * The hub's address as `http…` without a slash at the end; in a page, relative to it.
 * @throws TypeError for what is no URL.
 * @example hubUrl('ws://127.0.0.1:8787/') // 'http://127.0.0.1:8787'
 */
export function hubUrl(url: string): string {
  const { protocol, host, pathname } = new URL(url, globalThis.location?.href)
  return `${protocol.replace('ws', 'http')}//${host}${pathname.replace(/\/$/, '')}`
}
