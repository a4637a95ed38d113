/** What publishers say and get back, over whatever they publish. */

/** What a publisher gets back. */
export interface Receipt {
  /** The message's id. */
  readonly id: string
  readonly at: string
  /** Sessions and components that were subscribed at that moment. */
  readonly matched: number
  /** The hub had taken it before. */
  readonly duplicate?: boolean
}

export interface PublishOptions {
  /** Media type of a text, or of bytes. JSON where it is not said. */
  readonly type?: string
  /** By which the hub knows a repeat; made up where it is not said. */
  readonly id?: string
  /** Under a `conflate` policy the newest of a key replaces the older ones. */
  readonly key?: string
  /** This client gets no copy of its own message. */
  readonly exclude?: boolean
  /** Milliseconds to wait for the receipt, reconnects included, 23 days at most. 60 s. */
  readonly timeout?: number
  readonly signal?: AbortSignal
}
