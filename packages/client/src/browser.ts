/** What pages get as `/sapwood.js`: the client without the back end's side. */

export { SapwoodError } from '@sapwood/core'
export { connect, transportsOf as transports } from './connect.ts'
