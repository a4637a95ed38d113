/** What pages get as `/sapwood.js`: the client without the back end's side. */

export { SapwoodError } from '@sapwood/core'
export { Client } from './client.ts'
export { connect } from './connect.ts'
