/** Where a route leads to, as it stands in a settings file. Text only: nothing is looked up or loaded here. */
import { isAddress } from '../settings/address-text.ts'

export type EdgeTarget =
  /** A service of this process. */
  | { readonly kind: 'service'; readonly name: 'hub' | 'line' | 'pipe' }
  /** A service of another process, at `HOST:PORT` or `unix:PATH`. */
  | { readonly kind: 'dial'; readonly address: string }
  /** A function that is given the socket. */
  | { readonly kind: 'module'; readonly file: string; readonly name: string }

const TCP = /^tcp:\/\/([^:].*:[1-9]\d*)$/
const MODULE = /^module:([^#]+)#([^#]+)$/

/** @example edgeTarget('tcp://127.0.0.1:3000') // { kind: 'dial', address: '127.0.0.1:3000' } */
export function edgeTarget(text: string): EdgeTarget | undefined {
  if (text === 'hub' || text === 'line' || text === 'pipe') return { kind: 'service', name: text }
  const [, file, name] = MODULE.exec(text) ?? []
  if (file !== undefined && name !== undefined) return { kind: 'module', file, name }
  const address = text.startsWith('unix:') ? text : TCP.exec(text)?.[1]
  return address !== undefined && isAddress(address) ? { kind: 'dial', address } : undefined
}
