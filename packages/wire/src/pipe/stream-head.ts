/**
 * The heads of requests and answers, as they stand in HEADERS and TRAILERS (proto/pipe.proto).
 * Fields with their default value are not written, as in proto3.
 */

/** Names and values in turn, names in lower case, as in Node's `rawHeaders`. */
export type FieldList = readonly string[]

/** What a stream is opened with. */
export interface RequestHead {
  readonly method: string
  /** Path and query, verbatim. */
  readonly target: string
  readonly headers: FieldList
  /** Milliseconds that the asker still waits, whole; 0: as long as the session lasts. */
  readonly timeout: number
  /** W3C trace parent, or ''. */
  readonly trace: string
  /** How many relays it has passed. */
  readonly hops: number
}

/** What a stream is answered with. */
export interface ResponseHead {
  /** 100 to 999. From 100 to 199, but not 101, it is an interim one: another follows. */
  readonly status: number
  readonly headers: FieldList
  /** The handler's return code, 0 for success. */
  readonly code: number
}

export const NO_FIELDS: FieldList = Object.freeze([])

/** Does another head follow this one? 101 does not count: behind it both ends speak another protocol. */
export function isInterim(status: number): boolean {
  return status < 200 && status !== 101
}

/** The fields of the messages: number and wire type in one byte. */
export const Tag = {
  method: 0x0a,
  target: 0x12,
  trace: 0x1a,
  headers: 0x22,
  timeout: 0x28,
  hops: 0x30,
  status: 0x08,
  responseHeaders: 0x12,
  code: 0x18,
  fields: 0x0a,
} as const
