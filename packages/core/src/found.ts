/**
 * Who is subscribed to one path, kept from one update to the next: most paths are published to again and again, and looking
 * for the one session that wants an update costs as much as all else that a dispatch does.
 * Invariant: it calls those whom `Dispatcher.dispatch` would call, whoever comes and leaves meanwhile. What it keeps is bounded.
 */
import type { Dispatcher, Subscriber } from './dispatcher.ts'

/** Of more than these the dispatcher looks itself: they cost more than being found. */
const FEW = 8

/** No matcher has this version. */
const NEVER = -1

const NOBODY: readonly never[] = []

export class Found<Sender, Message> {
  /** Of the matcher in which they were found. */
  #version = NEVER
  /** Most paths have one at most: for who stands in no list there is none to be looked into. */
  #first: Subscriber<Sender, Message> | undefined
  /** Undefined if they are too many to be kept. */
  #others: readonly Subscriber<Sender, Message>[] | undefined = NOBODY

  /** Calls everybody who is subscribed to `path`, which is the same each time. Returns how many. */
  dispatch(
    dispatcher: Dispatcher<Sender, Message>,
    sender: Sender,
    path: string,
    message: Message,
  ): number {
    const { matcher } = dispatcher
    if (this.#version !== matcher.version) {
      this.#version = matcher.version
      this.#keep(matcher.match(path))
    }
    const first = this.#first
    const others = this.#others
    if (others === undefined) return dispatcher.dispatch(sender, path, message)
    if (first === undefined) return 0
    dispatcher.begin()
    call(dispatcher, first, sender, path, message)
    let reached = 1
    for (let i = 0; i < others.length; i++) {
      const subscriber = others[i] as Subscriber<Sender, Message>
      // since it began somebody has left, who may be this one
      const isSure = matcher.version === this.#version
      if (!isSure && !matcher.match(path).some((group) => group.has(subscriber))) continue
      reached++
      call(dispatcher, subscriber, sender, path, message)
    }
    dispatcher.end()
    return reached
  }

  #keep(groups: readonly Set<Subscriber<Sender, Message>>[]): void {
    const few = fewOf(groups)
    this.#first = few?.[0]
    if (few === undefined) this.#others = undefined
    else this.#others = few.length > 1 ? few.slice(1) : NOBODY
  }
}

/** Those who are found are nearly always sessions, and V8 inlines what it sees always: so it is a call of its own. */
function call<Sender, Message>(
  dispatcher: Dispatcher<Sender, Message>,
  { receiver }: Subscriber<Sender, Message>,
  sender: Sender,
  path: string,
  message: Message,
): void {
  try {
    receiver?.update(sender, path, message)
  } catch (thrown) {
    dispatcher.threw(thrown, receiver, path)
  }
}

/** All values, if they are few. */
function fewOf<T>(groups: readonly Set<T>[]): readonly T[] | undefined {
  let size = 0
  for (const group of groups) size += group.size
  if (size > FEW) return undefined
  return groups.length < 2
    ? [...(groups[0] ?? [])]
    : [...new Set(groups.flatMap((group) => [...group]))]
}
