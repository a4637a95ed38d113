/** The hub over HTTP: ingress, WebSocket, server-sent events, streams, long poll, the ask gateway. */

export type { HandlerContext, HandlerDeps } from './handlers.ts'
export { BUILT_IN, handlerComponent } from './handlers.ts'
export type { HttpServer } from './server.ts'
export { serveHttp } from './server.ts'
export type { HttpOptions, HttpSettings } from './settings.ts'
export { HTTP_DEFAULTS } from './settings.ts'
