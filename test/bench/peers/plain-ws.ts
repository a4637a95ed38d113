/** What one writes first: the `ws` package and a loop of `send`. The server is in `plain-ws-server.ts`. */
import type { Peer } from '../peer.ts'
import { postRequest, programFile } from '../peer.ts'

export const plainWs: Peer = {
  name: 'ws',
  start: [programFile('peers/plain-ws-server.js')],
  // every frame is a message
  mark: { offset: 0, byte: '{'.charCodeAt(0) },
  subscribe: (paths) => ({ target: `/?path=${paths.join('&path=')}`, steps: [] }),
  publish: ({ path, message }) => postRequest(`/${path}`, 'application/json', message),
  publishMany: (items) =>
    postRequest(
      '/',
      'application/x-ndjson',
      items.map(({ path, message }) => `{"path":"${path}","message":${message}}\n`).join(''),
    ),
}
