/** Loads the module of handlers that the operator names. */
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { reasonOf, SapwoodError } from '@sapwood/core'
import type { HandlerContext } from '@sapwood/http'
import type { Handler, Handlers } from '@sapwood/wire'

/** Exports that are handlers: other functions with an underscore are nobody's business but the module's. */
const EXPORTED = /^(?:get|head|post|put|patch|delete|options)_\S*$/
/** What stands in a table: `get_time`, or `GET time/utc`. */
const LISTED = /^(?:[a-z]+_\S*|[A-Z][A-Z-]* \S*)$/

/**
 * The functions of a module: its exports by `get_time` names (RP-10), and a table `{ 'GET time/utc': fn }` that it exports as
 * `handlers` or by default. What the table says comes before the names.
 * @param file relative to the working directory; JavaScript, as a module or CommonJS.
 * @throws SapwoodError `HANDLERS_UNREADABLE`, `HANDLERS_INVALID`
 * @example const handlers = await loadHandlers('./handlers.js')
 */
export async function loadHandlers(file: string): Promise<Handlers<HandlerContext>> {
  const path = resolve(file)
  const found = await stat(path).catch(() => undefined)
  if (found === undefined || !found.isFile()) {
    throw unreadable(`there is no file ${path}; check the path that --handlers names`)
  }
  let module: { readonly [name: string]: unknown }
  try {
    module = await import(pathToFileURL(path).href)
  } catch (thrown) {
    throw unreadable(`${path} cannot be loaded: ${reasonOf(thrown)}`, thrown)
  }
  const handlers = handlersOf(module, path)
  if (Object.keys(handlers).length > 0) return handlers
  throw invalid(
    `${path} has no handlers; export functions such as \`get_time\`, or a table \`handlers\``,
  )
}

function handlersOf(
  module: Readonly<Record<string, unknown>>,
  path: string,
): Handlers<HandlerContext> {
  const handlers: Record<string, Handler<HandlerContext>> = Object.create(null)
  for (const [name, value] of Object.entries(module)) {
    // what else a module exports is its own business
    if (typeof value === 'function' && EXPORTED.test(name)) add(handlers, name, value)
  }
  for (const name of ['default', 'handlers']) {
    const table = module[name]
    if (table === undefined || table === null) continue
    if (typeof table === 'object') addTable(handlers, table, name === 'default' ? module : {}, path)
    else if (name === 'handlers') {
      throw invalid(`${path}: \`handlers\` is a ${typeof table}; export a table of functions`)
    }
  }
  return handlers
}

/** @param exported what of the table is left out: the default of CommonJS is all that a module exports. */
function addTable(
  handlers: Record<string, Handler<HandlerContext>>,
  table: object,
  exported: object,
  path: string,
): void {
  for (const [key, value] of Object.entries(table)) {
    if (Object.hasOwn(exported, key)) continue
    if (typeof value !== 'function') throw invalid(`${path}: the handler "${key}" is no function`)
    if (!LISTED.test(key)) {
      throw invalid(`${path}: "${key}" is no name of a handler; write \`GET time\` or \`get_time\``)
    }
    add(handlers, key, value)
  }
}

function add(
  handlers: Record<string, Handler<HandlerContext>>,
  name: string,
  value: unknown,
): void {
  handlers[name] = value as Handler<HandlerContext>
}

function unreadable(detail: string, cause?: unknown): SapwoodError {
  return new SapwoodError('HANDLERS_UNREADABLE', detail, cause === undefined ? {} : { cause })
}

function invalid(detail: string): SapwoodError {
  return new SapwoodError('HANDLERS_INVALID', detail)
}
