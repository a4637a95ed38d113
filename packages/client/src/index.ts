/** The client of a hub for browsers and Node, and the publisher for back ends. */

export type { AnswerContext, Handler } from './answers.ts'
export type { Answer, AskOptions } from './asking.ts'
export { Client } from './client.ts'
export type { ClientEvents, ClientState, Gap, Problem, StateChange } from './client-events.ts'
export type { ConnectOptions } from './connect.ts'
export { connect, transportsOf as transports } from './connect.ts'
export type { Frame } from './frame.ts'
export { frameText, readFrames } from './frame.ts'
export type { Authorize } from './grants.ts'
export type { AnyPaths, Known, KnownPath, MessageOn } from './paths.ts'
export type { Platform } from './platform.ts'
export { thisPlatform } from './platform.ts'
export type { Item, PublisherAskOptions, PublisherOptions, UpdateOptions } from './publisher.ts'
export { Publisher, publisher } from './publisher.ts'
export type { PublishOptions, Receipt } from './publishing.ts'
export { AnswerError, raiseForCode } from './raise-for-code.ts'
export type { Received } from './subscriptions.ts'
export type { Channel, Locks } from './tabs.ts'
export type {
  Closing,
  Greeting,
  Link,
  LinkListener,
  Transport,
  TransportName,
} from './transport.ts'
export { takeBundle } from './transport.ts'
export type { OpenSocket, Socket, SocketListener } from './web-socket-transport.ts'
