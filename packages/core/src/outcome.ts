/**
 * How a question can end. The codes are those that callers have always seen in `X-Event-Return-Code`
 * (RP-15); a handler's own are 1 to 248.
 */
export const Code = {
  ok: 0,
  refused: 249,
  cancelled: 250,
  threw: 251,
  absent: 252,
  timeout: 253,
  lost: 254,
  unhandled: 255,
} as const
export type Code = (typeof Code)[keyof typeof Code]
