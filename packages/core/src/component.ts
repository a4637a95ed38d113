/**
 * The one interface of the house. Whatever can be routed to is a Component: a session, a waiting HTTP
 * request, a history, a callback in a browser. Invariant: `update` returns nothing, does not block and
 * keeps the original sender; what needs an answer gets it as another update.
 */
import type { Message } from './message.ts'

/** Who acts. Decided once, at the edge, and carried by every component that acts for somebody. */
export interface Principal {
  /** `anyone`, `local`, `key:<fingerprint>`, `cert:<name>`; checkers of programs give others, such as `user:<name>`. */
  readonly id: string
  /** True for those who may do everything, control paths included. */
  readonly trusted: boolean
  /** Further ids by which a rule may mean them, such as the other names of a certificate. */
  readonly also?: readonly string[]
}

/** Somebody of whom nothing is known. */
export const ANYONE: Principal = Object.freeze({ id: 'anyone', trusted: false })

/** The process itself: its controller and the components that the embedding program adds. */
export const SYSTEM: Principal = Object.freeze({ id: 'system', trusted: true })

/** The id of a component that no controller has registered. */
export const NO_ID = '--no-id--'

/**
 * Anything that can be routed to.
 *
 * @example
 * const printer: Component = {
 *   id: NO_ID,
 *   principal: SYSTEM,
 *   update: (sender, path, message) => console.log(path, message.body),
 * }
 */
export interface Component {
  /** Given by `Controller.register`; `NO_ID` before. */
  id: string
  /** On whose behalf this component sends. */
  readonly principal: Principal
  /**
   * Takes one update.
   *
   * @param sender the component that sent it first, whatever lies between.
   * @param path where it goes: a plain, control (`::…`) or direct (`@…`) path.
   * @param message what it says; an `Update` once it passed the history.
   */
  update(sender: Component, path: string, message: Message): void
}
