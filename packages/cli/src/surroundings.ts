/** What a command sees of the process that it runs in. `process` itself fits; tests hand in their own. */

/** Where text goes. */
export interface Output {
  write(text: string | Uint8Array): unknown
  readonly isTTY?: boolean
}

export type StopSignal = 'SIGINT' | 'SIGTERM'

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdin: AsyncIterable<Uint8Array | string> & { readonly isTTY?: boolean }
  readonly stdout: Output
  readonly stderr: Output
  on(signal: StopSignal, listener: () => void): unknown
  off(signal: StopSignal, listener: () => void): unknown
}
