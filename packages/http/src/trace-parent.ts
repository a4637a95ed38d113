/**
 * The W3C trace parent of a request: where it came from, for whoever follows it through several programs.
 * Invariant: what is none is dropped, since it would be kept and passed on whatever its length.
 */

const FORM = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/

/** What the header says; undefined where that is none. */
export function traceParent(header: string | undefined): string | undefined {
  return header !== undefined && FORM.test(header) ? header : undefined
}
