/** Reads the certificate files that the settings name. */
import { readFile } from 'node:fs/promises'
import { reasonOf } from '@sapwood/core'
import { failure } from './failure.ts'
import type { Settings } from './settings/settings.ts'

/** PEM, as it stood in the files. */
export interface TlsPlan {
  readonly cert: Uint8Array
  readonly key: Uint8Array
  readonly ca?: Uint8Array
}

/**
 * Undefined where no TLS is served.
 * @throws SapwoodError `CONFIG_INVALID` for a file that cannot be read.
 */
export async function tlsPlan(settings: Settings): Promise<TlsPlan | undefined> {
  const { values } = settings
  if (values['hub.tls_cert'] === '') return undefined
  const cert = await read(settings, 'hub.tls_cert')
  const key = await read(settings, 'hub.tls_key')
  if (values['hub.tls_ca'] === '') return { cert, key }
  return { cert, key, ca: await read(settings, 'hub.tls_ca') }
}

async function read(
  { values, said }: Settings,
  setting: 'hub.tls_cert' | 'hub.tls_key' | 'hub.tls_ca',
): Promise<Uint8Array> {
  try {
    return await readFile(values[setting])
  } catch (thrown) {
    const cause = `${said.get(setting)?.origin}: ${setting} cannot be read: ${reasonOf(thrown)}`
    throw failure('CONFIG_INVALID', cause, 'name a PEM file that this user may read')
  }
}
