/** What tests of connections begin with. */
import type { SapwoodError } from '@sapwood/core'
import type { Application, Connections, ConnectionsOptions } from '@sapwood/net'
import { connections } from '@sapwood/net'
import type { Test } from 'tap'

export const ECHO: Application = {
  received: (frame, connection) => connection.send(frame),
}

/** Connections that end with the test. */
export function tracked(t: Test, transport: string, options: ConnectionsOptions = {}): Connections {
  const made = connections(transport, options)
  t.teardown(() => made.shutdown())
  return made
}

/** The code of what `run` throws. */
export function codeOf(run: () => unknown): string | undefined {
  try {
    run()
    return undefined
  } catch (error) {
    return (error as SapwoodError).code
  }
}

/** The code of what a promise is rejected with. */
export function rejection(promise: Promise<unknown>): Promise<string | undefined> {
  return promise.then(
    () => undefined,
    (error: SapwoodError) => error.code,
  )
}
