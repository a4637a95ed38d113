/** Questions and their answers, as whoever asks sees them. */

export interface AskOptions {
  /** `GET` where it is not said. */
  readonly verb?: string
  readonly args?: readonly string[]
  /** A query string without its `?`. */
  readonly query?: string
  readonly message?: unknown
  /** Media type of a text message, or of bytes. */
  readonly type?: string
  /** Milliseconds to wait for the answer, a day at most. 30 s. */
  readonly timeout?: number
  readonly signal?: AbortSignal
}

export interface Answer {
  /** 0, the handler's own 1 to 248, 251 if it threw, 255 if there is none for that verb and noun. */
  readonly code: number
  /** Media type of the message. */
  readonly type: string
  /** JSON decoded, text as a string, bytes as they are. */
  readonly message: unknown
  /** The HTTP status that the handler chose, if it chose one. */
  readonly status?: number | undefined
}
