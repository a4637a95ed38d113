/**
 * The first frame of a client, read: it may prove who it is, say its name, and which session it goes on with.
 * Invariant: what is no hello is a fault that says what one looks like; fields that are not known are passed over.
 */
import type { Fault, Message } from '@sapwood/core'
import { bodyValue } from '@sapwood/core'
import { VERSION } from '@sapwood/hub'

/** What a client says first. */
export interface Hello {
  readonly token?: string
  readonly name?: string
  /** The secret of its former session. */
  readonly resume?: string
  /** The last position that it saw. */
  readonly after?: string
}

const WORDS = ['token', 'name', 'resume', 'after'] as const

/** @returns `HELLO_INVALID`, `VERSION_UNSUPPORTED` for what cannot be answered. */
export function readHello(message: Message): Hello | Fault {
  const value = bodyValue(message)
  if (typeof value !== 'object' || value === null) return HELLO_WRONG
  const hello = value as Record<string, unknown>
  if (hello.version !== undefined && hello.version !== VERSION) {
    const detail = `this hub speaks version ${VERSION}; load its own /sapwood.js`
    return { code: 'VERSION_UNSUPPORTED', detail }
  }
  for (const name of WORDS) {
    if (hello[name] !== undefined && typeof hello[name] !== 'string') return HELLO_WRONG
  }
  // a member called `code` would look like a fault
  const { token, name, resume, after } = hello as Hello
  return {
    ...(token !== undefined && { token }),
    ...(name !== undefined && { name }),
    ...(resume !== undefined && { resume }),
    ...(after !== undefined && { after }),
  }
}

const HELLO_WRONG: Fault = {
  code: 'HELLO_INVALID',
  detail: 'a hello is {"version":1} with, where wanted, token, name, resume and after as strings',
}
