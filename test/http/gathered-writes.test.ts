import { Writable } from 'node:stream'
import { GatheredWrites } from '@sapwood/http'
import { Outlet } from '@sapwood/hub'
import { test } from 'tap'

/** An outlet with its writes, and sockets that note what happens in which order. */
function stage() {
  const seen: string[] = []
  const thrown: unknown[] = []
  let run = (): void => {}
  const outlet = new Outlet(
    (later) => {
      run = later
    },
    () => 0,
    (one) => thrown.push(one),
  )
  const writes = new GatheredWrites(() => outlet.flushing)
  outlet.onFlushed(() => writes.release())
  const socket = (name: string) => {
    const write = (parts: { chunk: unknown }[], done: () => void): void => {
      seen.push(`${name} wrote ${parts.map(({ chunk }) => String(chunk)).join('+')}`)
      done()
    }
    return new Writable({
      write: (chunk, _encoding, done) => write([{ chunk }], done),
      writev: write,
      final: (done) => {
        seen.push(`${name} ended`)
        done()
      },
    })
  }
  const note = (flush: () => void): void => outlet.note({ noted: false, flush })
  const send = (to: Writable, text: string): void => {
    seen.push(`made ${text}`)
    writes.write(to, Buffer.from(text))
  }
  return { seen, thrown, writes, socket, note, send, flush: () => run() }
}

test('what a flush sends leaves when all of it is made', (t) => {
  const { seen, socket, note, send, flush } = stage()
  const [a, b] = [socket('a'), socket('b')]
  note(() => send(a, '1'))
  note(() => send(b, '2'))
  flush()
  t.same(seen, ['made 1', 'made 2', 'a wrote 1', 'b wrote 2'])
  t.same([a.writableCorked, b.writableCorked], [0, 0])
  t.end()
})

test('what is sent to one socket in a flush leaves as one, in its order', (t) => {
  const { seen, socket, note, send, flush } = stage()
  const [a, b] = [socket('a'), socket('b')]
  note(() => {
    send(b, '0')
    send(a, '1')
    send(a, '2')
    send(a, '3')
  })
  note(() => send(b, '4'))
  flush()
  t.same(seen.slice(-3), ['b wrote 0', 'a wrote 1+2+3', 'b wrote 4'])
  note(() => send(a, '5'))
  flush()
  t.same(seen.at(-1), 'a wrote 5')
  t.same([a.writableCorked, b.writableCorked], [0, 0])
  t.end()
})

test('what is held counts against the room of the socket that is written to', (t) => {
  const { writes, socket, note, send, flush } = stage()
  const [a, b] = [socket('a'), socket('b')]
  const held: number[] = []
  note(() => {
    send(a, 'one')
    send(b, 'four')
    send(b, 'seven')
    held.push(writes.heldOf(b))
    writes.release()
    held.push(writes.heldOf(b))
  })
  flush()
  t.same(held, [9, 0])
  t.end()
})

test('what is gathered is bounded, however much a flush sends', (t) => {
  const { seen, socket, note, send, flush } = stage()
  const half = 'x'.repeat(32 * 1024)
  for (const name of ['a', 'b', 'c']) note(() => send(socket(name), half))
  flush()
  t.same(
    seen.map((line) => line.slice(0, 7)),
    ['made xx', 'made xx', 'a wrote', 'b wrote', 'made xx', 'c wrote'],
  )
  t.end()
})

test('what is sent outside of a flush leaves at once', (t) => {
  const { seen, socket, note, send, flush } = stage()
  const a = socket('a')
  send(a, '1')
  t.same(seen, ['made 1', 'a wrote 1'])
  note(() => send(a, '2'))
  flush()
  send(a, '3')
  t.same(seen.slice(2), ['made 2', 'a wrote 2', 'made 3', 'a wrote 3'])
  t.end()
})

test('a socket that ends or breaks in a flush hinders no other', async (t) => {
  const { seen, thrown, writes, socket, note, send, flush } = stage()
  const [ending, broken, other] = [socket('ending'), socket('broken'), socket('other')]
  note(() => {
    send(ending, '1')
    writes.release()
    ending.end()
  })
  note(() => {
    send(broken, '2')
    broken.destroy()
  })
  note(() => {
    throw new Error('a session that fails')
  })
  note(() => send(other, '3'))
  flush()
  await new Promise(setImmediate)
  t.same(
    seen.filter((line) => !line.startsWith('made')),
    ['ending wrote 1', 'ending ended', 'other wrote 3'],
  )
  t.equal(thrown.length, 1)
})
