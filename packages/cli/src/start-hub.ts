/**
 * Starts a hub that listens.
 * Invariant: it returns when everything listens, or throws with nothing left open.
 */
import type { HttpOptions } from '@sapwood/http'
import { serveHttp } from '@sapwood/http'
import type { HubOptions } from '@sapwood/hub'
import { hub, logger } from '@sapwood/hub'
import type { Service } from './until-stopped.ts'

export interface RunningHub extends Service {
  /** The address that clients use, e.g. `http://127.0.0.1:8787`. */
  readonly url: string
  /** Listener name to address, of every listener but the hub's own. */
  readonly listen: Readonly<Record<string, string>>
}

/**
 * @param onUpdate takes each update as a line `path; message` (DB-14).
 * @throws SapwoodError `PORT_IN_USE` and whatever else keeps it from listening.
 */
export async function startHub(
  hubOptions: HubOptions,
  httpOptions: HttpOptions,
  onUpdate?: (line: string) => void,
): Promise<RunningHub> {
  const running = hub(hubOptions)
  if (onUpdate !== undefined) running.controller.delegate(logger(onUpdate))
  try {
    const server = await serveHttp(running, httpOptions)
    return {
      url: server.url,
      listen: {},
      drain: () => server.drain(),
      async close() {
        await server.close()
        await running.close()
      },
    }
  } catch (thrown) {
    await running.close()
    throw thrown
  }
}
