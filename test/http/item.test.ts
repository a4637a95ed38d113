/** What an item of a batch cannot say. */
import { jsonMessage, NO_ID, SYSTEM } from '@sapwood/core'
import { test } from 'tap'
import { call, serve } from './support.ts'

for (const type of ['application/json', 'application/x-ndjson']) {
  test(`${type}: an item cannot have others publish where it wants an answer`, async (t) => {
    const stand = await serve(t)
    const { hub } = stand
    const seen: string[] = []
    hub.subscribe('**', (_message, path) => seen.push(path))
    hub.answer('lamp', {
      id: NO_ID,
      principal: SYSTEM,
      update(_sender, _path, { meta }) {
        t.equal(meta.verb, 'PUT')
        t.equal(meta.reply, undefined)
        if (meta.reply !== undefined) hub.update(this, meta.reply, jsonMessage('on', { code: 0 }))
      },
    })
    for (const path of ['@lamp/switch', '@nobody/x', 'plain']) {
      const body = JSON.stringify({ path, message: 1, verb: 'PUT', reply: 'secret/path' })
      const { status, text } = await call(stand, '/update', {
        headers: { 'content-type': type },
        body,
      })
      t.equal(status, 200)
      t.match(text, /"matched":/)
    }
    t.same(seen, ['plain'])
  })
}
