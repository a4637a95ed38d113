/** Loads modules that an operator names in a setting. */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { reasonOf } from '@sapwood/core'
import { failure } from './failure.ts'

/**
 * @param file from where the process was started.
 * @param place the setting and where it was said, for errors.
 * @throws SapwoodError `CONFIG_INVALID` for what cannot be loaded.
 */
export async function loadModule(
  file: string,
  place: string,
): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await import(pathToFileURL(resolve(file)).href)
  } catch (thrown) {
    const next = 'name a JavaScript module, from where sapwood is started'
    throw failure('CONFIG_INVALID', `${place}: cannot load ${file}: ${reasonOf(thrown)}`, next)
  }
}
