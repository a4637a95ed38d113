/** What a client of the pipe has by default where a server has something else. */
import type { SettingKey } from '../settings/table.ts'

/** A server and a client of one machine do not share a port. */
export const CLIENT_HTTP = '127.0.0.1:8790'

/** The defaults as help shows them: what a client is called is in its certificate, and has to be said. */
export const CLIENT_DEFAULTS: ReadonlyMap<SettingKey, string> = new Map([
  ['pipe.http', CLIENT_HTTP],
  ['pipe.name', 'none'],
])
