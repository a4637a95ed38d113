import { Code, isUnanswered, SapwoodError, unanswered } from '@sapwood/core'
import { test } from 'tap'

test('codes from 249 on, but those of a handler, say that nobody answered', async (t) => {
  const codes = Array.from({ length: 256 }, (_, code) => code)
  t.same(codes.filter(isUnanswered), [249, 250, 252, 253, 254])
})

test('the error of a question without an answer, in whatever words there are', async (t) => {
  const message = { code: 'CLIENT_UNKNOWN', detail: 'nobody called "a" was here' }
  const absent = unanswered({ code: Code.absent, status: 404, message })
  t.ok(absent instanceof SapwoodError)
  t.match(absent, { code: 'CLIENT_ABSENT', detail: message.detail, status: 404 })
  t.match(unanswered({ code: Code.timeout, message: 'late' }), {
    code: 'ANSWER_TIMEOUT',
    detail: 'no answer (code 253)',
    status: 502,
  })
  t.match(unanswered({ message }), { code: 'CLIENT_UNKNOWN' }, 'the gateway itself speaks')
  t.match(unanswered({ status: 504, message: '<html>' }), { code: 'UNANSWERED', status: 504 })
  t.match(unanswered({ code: Code.lost, message: null }), { code: 'CONNECTION_LOST' })
})
