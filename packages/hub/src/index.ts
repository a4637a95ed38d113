/** The hub: gate, history, sessions, presence. It listens nowhere by itself. */

export type { Downstream, Farewell } from '@sapwood/core'
export {
  BYE,
  CANCEL,
  ERROR,
  GAP,
  HELLO,
  PING,
  REPLY,
  RESUMED,
  SOCKET_LIMIT,
} from '@sapwood/core'
export type { GapReason } from './control.ts'
export { VERSION } from './control.ts'
export { Counters } from './counters.ts'
export type { Answerer, NamedPeers } from './directory.ts'
export type { Engine, EngineEvents, Interest, ReadRequest, ReadResult } from './engine.ts'
export type { Action, Rule } from './gate.ts'
export { Gate } from './gate.ts'
export { Hub, hub } from './hub.ts'
export { HUB } from './hub-parts.ts'
export type { MemoryEngineOptions } from './memory-engine.ts'
export { MemoryEngine } from './memory-engine.ts'
export { nodeClock, randomLetters } from './node.ts'
export { Outlet } from './outlet.ts'
export type { Position } from './position.ts'
export { formatPosition, parsePosition } from './position.ts'
export { Session } from './session.ts'
export type { Policy } from './session-host.ts'
export type { AttachOptions, SessionOptions } from './session-options.ts'
export type { HubOptions, HubSettings, Log } from './settings.ts'
export { HUB_DEFAULTS } from './settings.ts'
export { logger } from './tap.ts'
export { isMeant } from './who.ts'
