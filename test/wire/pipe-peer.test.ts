/** The pipe with a peer that was written from the specification alone, in another language. */
import { execFile } from 'node:child_process'
import type { AddressInfo, Socket } from 'node:net'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { isFault, PipeLink, PipeSession, refusal } from '@sapwood/wire'
import { test } from 'tap'
import { requires } from '../requires.ts'
import { End, GET, OK } from './pipe-pair.ts'

const PEER = fileURLToPath(new URL('../../wire/pipe-peer.py', import.meta.url))

/** A listener as small as can be: one session on plain sockets. */
class Listener extends End {
  declare readonly session: PipeSession
  link: PipeLink | undefined
  socket: Socket | undefined
  links = 0

  serve(socket: Socket): void {
    const link = new PipeLink(Buffer.allocUnsafeSlow)
    let accepted = false
    socket.on('data', (chunk) => {
      if (accepted) this.session.receive(link, chunk, performance.now())
      else {
        const hello = link.greet(chunk)
        if (hello === undefined) return
        if (!isFault(hello) && this.links === 0) {
          const { id, secret } = hello
          const options = { side: 'listener', id, secret, instance: 'node' } as const
          Object.assign(this, { session: new PipeSession(options, this) })
        }
        Object.assign(this, { link, socket })
        const fault = isFault(hello) ? hello : this.session.accept(link, hello, performance.now())
        if (fault !== undefined) socket.end(refusal(fault, true))
        accepted = true
        this.links++
      }
      this.write()
    })
    socket.on('drain', () => this.write())
    socket.on('error', () => {})
    socket.on('close', () => this.session.cut(link))
  }

  write(): void {
    const { link, socket } = this
    if (link === undefined || socket === undefined) return
    socket.cork()
    this.session.flush(link, 131_072 - socket.writableLength, socket, performance.now())
    socket.uncork()
  }

  override closed(fault: { readonly code: string; readonly detail: string }): void {
    super.closed(fault)
    this.write()
    this.socket?.end()
  }
}

test(
  'a peer in Python asks, answers, is cut off in a body and takes the session up',
  requires('python3'),
  async (t) => {
    const listener = new Listener('listener')
    listener.answer = (stream) => {
      const { session } = listener
      session.respond(stream, OK, false)
      session.send(stream, listener.body(stream.id), false)
      session.finish(stream, ['length', `${listener.body(stream.id).length}`])
      session.open({ ...GET, target: '/time?utc' }, true)
      session.update(Buffer.from('{"path":"node/1"}'))
    }
    const server = createServer((socket) => listener.serve(socket)).listen(0, '127.0.0.1')
    t.teardown(() => server.close())
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    const run = promisify(execFile)
    const { stdout } = await run('python3', [PEER, '127.0.0.1', `${port}`], { timeout: 30_000 })
    const { got, sent, ...rest } = JSON.parse(stdout) as Record<string, unknown>
    t.equal(got, sent)
    t.strictSame(rest, {
      asked: '/time?utc',
      status: 200,
      update: '{"path":"node/1"}',
      trailers: ['length', '700000'],
      told: ['PIPE_OUT_OF_ORDER'],
    })
    t.equal(listener.links, 2)
    t.equal(listener.body(2).toString(), 'from python')
    const said = listener.said.filter((each) => !each.endsWith('drained'))
    t.strictSame(said.sort(), [
      '1 POST /echo',
      '1 ended',
      '2 200',
      '2 ended',
      'closed PIPE_OUT_OF_ORDER',
      'live',
      'resumed',
    ])
  },
)
