/** The words of the house: components, messages, paths, and what routes between them. No I/O, no timers. */

export type { BackoffOptions } from './backoff.ts'
export { Backoff } from './backoff.ts'
export { callAll } from './call-all.ts'
export { CancelSignal } from './cancel.ts'
export type { Clock } from './clock.ts'
export type { Component, Principal } from './component.ts'
export { ANYONE, NO_ID, SYSTEM } from './component.ts'
export { connection, parseConnection } from './connect-message.ts'
export {
  BYE,
  CANCEL,
  CONNECT,
  CONNECTED,
  DISCONNECT,
  DISCONNECTED,
  ERROR,
  GAP,
  GONE,
  HELLO,
  INBOX,
  PING,
  RECEIPT,
  REPLY,
  RESUMED,
} from './control-path.ts'
export type { ControllerDeps } from './controller.ts'
export { Controller } from './controller.ts'
export { countFault } from './count-fault.ts'
export type { Receiver, Subscriber } from './dispatcher.ts'
export { Dispatcher } from './dispatcher.ts'
export type { CarriedSession, Downstream, Farewell } from './downstream.ts'
export { SOCKET_LIMIT } from './downstream.ts'
export type { Fault } from './errors.ts'
export { reasonOf, SapwoodError } from './errors.ts'
export { flatCopy } from './flat-copy.ts'
export { Found } from './found.ts'
export type { Question } from './inbox.ts'
export { Inbox, inboxOwner, inboxPattern, outcome } from './inbox.ts'
export type { MailboxOptions } from './mailbox.ts'
export { Mailbox } from './mailbox.ts'
export { Matcher } from './matcher.ts'
export type { Body, BodyStream, Message, Meta } from './message.ts'
export {
  BYTES_TYPE,
  bodyValue,
  isStream,
  JSON_TYPE,
  jsonMessage,
  message,
  NO_META,
  sizeOf,
  TEXT_TYPE,
  textOf,
} from './message.ts'
export { isName, NAME_FORM, nameFault } from './name-fault.ts'
export type { NoAnswer } from './outcome.ts'
export { Code, isUnanswered, LONGEST_WAIT, unanswered } from './outcome.ts'
export type { PathLimits } from './path.ts'
export {
  covers,
  hasWildcard,
  isControlPath,
  isDirectPath,
  isPlainPath,
  matches,
  nameOf,
  nounOf,
  PATH_LIMITS,
  pathFault,
  patternFault,
} from './path.ts'
export { quote } from './quote.ts'
export { Receipt } from './receipt.ts'
export type { RouterDeps } from './router.ts'
export { Router } from './router.ts'
export type { Codec, Positions } from './update.ts'
export { Mark, Update } from './update.ts'
export type { Timed } from './wheel.ts'
export { Timer, Wheel } from './wheel.ts'
