/**
 * What the RESP server understands: a table of commands over a map of strings. The words and the errors are those of
 * Redis, so that its clients feel at home; integers end where JavaScript's exact ones do, at 2^53.
 */
import { Failure, Status } from './value.js'

const OK = new Status('OK')
const PONG = new Status('PONG')
/** The answer to QUIT: the connection ends behind it. */
export const BYE = new Status('OK')

const SYNTAX = new Failure('ERR syntax error')
const NO_INTEGER = new Failure('ERR value is not an integer or out of range')
const TOO_LONG = new Failure('ERR the answer is too long, ask for fewer keys')
const NO_ROOM = new Failure("OOM command not allowed when used memory > 'maxmemory'.")

/** A short command may name a long value many times. */
const LONGEST_ANSWER = 16_777_216

const INTEGER = /^(?:0|-?[1-9]\d{0,15})$/

/** Name, fewest and most arguments, and what it answers. */
const COMMANDS = new Map(
  [
    ['PING', 0, 1, (_store, [text]) => text ?? PONG],
    ['ECHO', 1, 1, (_store, [text]) => text],
    ['QUIT', 0, 0, () => BYE],
    ['GET', 1, 1, (store, [key]) => store.get(key)],
    ['SET', 2, 3, set],
    ['MGET', 1, Infinity, getAll],
    ['MSET', 2, Infinity, setAll],
    ['DEL', 1, Infinity, (store, keys) => keys.filter((key) => store.delete(key)).length],
    ['EXISTS', 1, Infinity, (store, keys) => keys.filter((key) => store.has(key)).length],
    ['STRLEN', 1, 1, (store, [key]) => store.get(key)?.length ?? 0],
    ['APPEND', 2, 2, append],
    ['INCR', 1, 1, (store, [key]) => add(store, key, '1')],
    ['DECR', 1, 1, (store, [key]) => add(store, key, '-1')],
    ['INCRBY', 2, 2, (store, [key, by]) => add(store, key, by)],
    ['DBSIZE', 0, 0, (store) => store.size],
    ['FLUSHALL', 0, 0, flush],
    // what redis-benchmark asks for first, so that it can print it
    ['CONFIG', 2, 2, (_store, [, name]) => [name, '']],
  ].map(([name, fewest, most, answer]) => [name, { fewest, most, answer }]),
)

/**
 * @param words a command and its arguments
 * @returns the value to answer with
 */
export function answer(store, words) {
  const name = words[0]
  const given = words.slice(1)
  const command = COMMANDS.get(name) ?? COMMANDS.get(name.toUpperCase())
  if (command === undefined) return new Failure(`ERR unknown command '${shown(name)}'`)
  if (given.length < command.fewest || given.length > command.most) {
    return new Failure(`ERR wrong number of arguments for '${shown(name.toLowerCase())}' command`)
  }
  return command.answer(store, given)
}

function set(store, [key, value, condition]) {
  if (condition !== undefined && !/^[NX]X$/i.test(condition)) return SYNTAX
  if (condition !== undefined && store.has(key) !== /^X/i.test(condition)) return null
  return store.set(key, value) ? OK : NO_ROOM
}

function getAll(store, keys) {
  const values = keys.map((key) => store.get(key))
  const size = values.reduce((sum, value) => sum + (value?.length ?? 0), 0)
  return size > LONGEST_ANSWER ? TOO_LONG : values
}

function setAll(store, pairs) {
  if (pairs.length % 2 !== 0) return SYNTAX
  for (let i = 0; i < pairs.length; i += 2) {
    if (!store.set(pairs[i], pairs[i + 1])) return NO_ROOM
  }
  return OK
}

function append(store, [key, more]) {
  const value = (store.get(key) ?? '') + more
  return store.set(key, value) ? value.length : NO_ROOM
}

function add(store, key, by) {
  const value = store.get(key) ?? '0'
  const sum = Number(value) + Number(by)
  if (!INTEGER.test(value) || !INTEGER.test(by) || !Number.isSafeInteger(sum)) return NO_INTEGER
  return store.set(key, String(sum)) ? sum : NO_ROOM
}

function flush(store) {
  store.clear()
  return OK
}

/** What a peer sent, as part of one line. */
function shown(text) {
  return text.slice(0, 64).replaceAll(/[\r\n]/g, ' ')
}

/** Bytes that an entry costs besides its key and its value, about. */
const ENTRY = 64

/** Strings by keys, within a budget of memory. */
export class Store {
  #values = new Map()
  #used = 0
  #limit

  /** @param limit bytes, keys and bookkeeping included */
  constructor({ limit }) {
    this.#limit = limit
  }

  get size() {
    return this.#values.size
  }

  has(key) {
    return this.#values.has(key)
  }

  get(key) {
    return this.#values.get(key) ?? null
  }

  /** @returns whether there was room for it; if not, nothing has changed */
  set(key, value) {
    const more = cost(key, value) - cost(key, this.#values.get(key))
    if (more > 0 && this.#used + more > this.#limit) return false
    this.#used += more
    this.#values.set(key, value)
    return true
  }

  /** @returns whether it was there */
  delete(key) {
    this.#used -= cost(key, this.#values.get(key))
    return this.#values.delete(key)
  }

  clear() {
    this.#values.clear()
    this.#used = 0
  }
}

function cost(key, value) {
  return value === undefined ? 0 : ENTRY + key.length + value.length
}
