/** socket.io with a room per path. The server is in `socket-io-server.ts`. */
import type { Peer } from '../peer.ts'
import { postRequest, programFile } from '../peer.ts'

export const socketIo: Peer = {
  name: 'socket.io',
  start: [programFile('peers/socket-io-server.js')],
  // 42["message",...   and not   42["joined"]
  mark: { offset: 4, byte: 'm'.charCodeAt(0) },
  subscribe: (paths) => ({
    target: '/socket.io/?EIO=4&transport=websocket',
    steps: [
      { send: [], until: '0{' },
      { send: ['40'], until: '40{' },
      { send: [`42["join",${JSON.stringify(paths)}]`], until: '42["joined"' },
    ],
  }),
  publish: ({ path, message }) => postRequest(`/${path}`, 'application/json', message),
  publishMany: (items) =>
    postRequest(
      '/',
      'application/x-ndjson',
      items.map(({ path, message }) => `{"path":"${path}","message":${message}}\n`).join(''),
    ),
}
