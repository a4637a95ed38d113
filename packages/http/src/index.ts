/** The hub over HTTP: ingress, WebSocket, server-sent events, streams, long poll, the ask gateway. */

export type { BridgeRule } from './bridges.ts'
export type { HandlerContext, HandlerDeps } from './handlers.ts'
export { BUILT_IN, handlerComponent } from './handlers.ts'
export { isLoopbackAddress } from './origins.ts'
export type { HttpServer } from './server.ts'
export { serveHttp } from './server.ts'
export type { BridgeOptions, HttpOptions, HttpSettings } from './settings.ts'
export { HTTP_DEFAULTS } from './settings.ts'
export { LOCAL } from './trust.ts'
