/** Publishing and following over the pipe, apart: it stands on the client of a hub, which a server of the pipe does without. */

export type { PeerUpdatesOptions } from './updates/peer-updates.ts'
export { PeerUpdates } from './updates/peer-updates.ts'
export type { PipeTransportEvents } from './updates/pipe-transport.ts'
export { PipeTransport } from './updates/pipe-transport.ts'
export { RefusedUpdates } from './updates/refused-updates.ts'
