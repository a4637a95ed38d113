/** What a session is made with, and what is said of a transport that it is given. */
import type { Principal } from '@sapwood/core'

export interface SessionOptions {
  readonly principal: Principal
  /** What resumes it; whoever knows it is this client. */
  readonly secret: string
  /** A view ends with its transport and cannot be resumed. */
  readonly view?: boolean
  /** Where it came from, for limits and the list of clients. */
  readonly address?: string
  /** Only somebody of whom this is known resumes it; where it is not said, whoever knows the secret. */
  readonly holder?: string
}

export interface AttachOptions {
  /** The client came back: replay what it missed. */
  readonly resumed?: boolean
  /** The last position that the client saw. */
  readonly after?: string | undefined
  /** Who the client is now. */
  readonly principal?: Principal
}
