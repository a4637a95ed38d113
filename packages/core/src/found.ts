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

export class Found<Sender, Message> {
  /** Of the matcher in which they were found. */
  #version = NEVER
  #few: readonly Subscriber<Sender, Message>[] | undefined

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
      this.#few = fewOf(matcher.match(path))
    }
    const few = this.#few
    if (few === undefined) return dispatcher.dispatch(sender, path, message)
    if (few.length === 0) return 0
    let reached = 0
    dispatcher.begin()
    for (let i = 0; i < few.length; i++) {
      const subscriber = few[i] as Subscriber<Sender, Message>
      // since it began somebody has left, who may be this one
      const isSure = matcher.version === this.#version
      if (!isSure && !matcher.match(path).some((group) => group.has(subscriber))) continue
      reached++
      const { receiver } = subscriber
      try {
        // a call of its own: those who are found are nearly always sessions, and V8 inlines what it sees always
        receiver?.update(sender, path, message)
      } catch (thrown) {
        dispatcher.threw(thrown, receiver, path)
      }
    }
    dispatcher.end()
    return reached
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
