/** The part of `websocket` that is used here; the package brings no types. */
declare module 'websocket' {
  import type { EventEmitter } from 'node:events'
  export interface Connection extends EventEmitter {
    sendUTF(text: string): void
    close(): void
  }
  interface Client extends EventEmitter {
    connect(url: string, protocol: string): void
  }
  const websocket: { client: new (config?: object) => Client }
  // biome-ignore lint/style/noDefaultExport: the package has one
  export default websocket
}
