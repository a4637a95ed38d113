/**
 * The answer of a long poll in the Roots form (DB-17): a list of updates, and where to come back. Control updates
 * stand in the list like any other.
 * Invariant: everything in one answer is confirmed by the number in its `reconnectWith`.
 */
import type { Fault, Update } from '@sapwood/core'
import { envelope } from './envelope.ts'
import { isFault } from './fault.ts'
import type { Frame, FrameLimits } from './frame.ts'
import { parseFrames } from './frame.ts'
import { JsonMember } from './json-member.ts'

export interface PollAnswer {
  /** The client's public id. */
  readonly id: string
  readonly frames: readonly Frame[]
  /** The cursor that the client has once it took these frames. */
  readonly at: string
  /** `<token>/<n>`: what the next poll asks for. */
  readonly reconnectWith: string
}

/** Writes an answer. Two line ends close it, as they always have. */
export function pollAnswer(
  id: string,
  updates: readonly Update[],
  at: string,
  reconnectWith: string,
): string {
  let list = ''
  for (const update of updates) {
    list += list === '' ? update.encoded(envelope) : `,${update.encoded(envelope)}`
  }
  const end = `"at":${JSON.stringify(at)},"reconnectWith":${JSON.stringify(reconnectWith)}}`
  return `{"id":${JSON.stringify(id)},"updates":[${list}],${end}\r\n\r\n`
}

/** Reads an answer; `POLL_INVALID` or `FRAME_INVALID` for what is none. */
export function parsePoll(text: string, limits?: FrameLimits): PollAnswer | Fault {
  let value: Partial<Record<string, unknown>> | null
  try {
    value = JSON.parse(text)
  } catch {
    value = null
  }
  if (typeof value !== 'object' || value === null || !Array.isArray(value.updates)) return INVALID
  const { id, at, reconnectWith } = value
  if (typeof id !== 'string' || typeof reconnectWith !== 'string') return INVALID
  const updates = new JsonMember(text, 'updates')
  updates.readObject()
  const frames = parseFrames(text.slice(updates.start, updates.end), limits)
  if (isFault(frames)) return frames
  return { id, frames, at: typeof at === 'string' ? at : '', reconnectWith }
}

const INVALID: Fault = {
  code: 'POLL_INVALID',
  detail: 'the answer to the poll is no {"id","updates","reconnectWith"}; is this the hub?',
}
