/** The hub as users start it. */
import type { Peer } from '../peer.ts'
import { postRequest, programFile } from '../peer.ts'

const HELLO = '{"path":"::hello","message":{"version":1}}'

export const sapwood: Peer = {
  name: 'sapwood',
  start: [programFile('../../../packages/cli/bin/sapwood.js'), 'dev', '--json', '--port', '0'],
  // {"path":"s/...   and not   {"path":"::...
  mark: { offset: 9, byte: 's'.charCodeAt(0) },
  subscribe: (paths) => ({
    target: '/ws',
    protocol: 'sapwood.v1',
    steps: [
      {
        send: [HELLO, `{"path":"::connect","message":${JSON.stringify(paths)}}`],
        until: `{"path":"::connected","message":{"pattern":"${paths.at(-1)}"`,
      },
    ],
  }),
  publish: ({ path, message }) => postRequest(`/update/${path}`, 'application/json', message),
  publishMany: (items) =>
    postRequest(
      '/update',
      'application/x-ndjson',
      items.map(({ path, message }) => `{"path":"${path}","message":${message}}\n`).join(''),
    ),
}
