/** A far end of socket.io: `acks-client PORT`, with no more of its client than asking takes, to its advantage. */
import { WebSocket } from 'ws'
import { answer } from './far-handler.ts'

const TEXT = JSON.stringify([answer().toString()])
const [port] = process.argv.slice(2)
const socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`, {
  perMessageDeflate: false,
})

socket.on('message', (data: Buffer) => {
  const text = data.toString()
  if (text.startsWith('0')) socket.send('40')
  else if (text.startsWith('40')) console.log('ready')
  else if (text === '2') socket.send('3')
  else {
    const [, id, asked] = /^42(\d+)(\[.*\])$/s.exec(text) ?? []
    if (asked === undefined) return
    JSON.parse(asked)
    socket.send(`43${id}${TEXT}`)
  }
})
socket.on('close', () => process.exit())
