/** The messages and frames of the pipe: equal to protobuf's in bytes, refused before they are held. */
import { readFileSync } from 'node:fs'
import { cuts } from '@sapwood/testkit'
import type { PipeFrame, RequestHead, ResponseHead } from '@sapwood/wire'
import { FRAME_HEAD, FrameType, InputBuffer, PipeFramer, pipeHeads } from '@sapwood/wire'
import fc from 'fast-check'
import protobuf from 'protobufjs'
import { test } from 'tap'
import { End, ID, SECRET } from './pipe-pair.ts'

const PROTO = new URL('../../../proto/pipe.proto', import.meta.url)
const { root } = protobuf.parse(readFileSync(PROTO, 'utf8'))
const message = (name: string): protobuf.Type => root.lookupType(`sapwood.pipe.${name}`)

const text = fc.oneof(
  fc.string({ maxLength: 200 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.constantFrom('', 'content-type', 'é', '\uFFFD', '\uFEFF', 'x'.repeat(127), 'x'.repeat(128)),
)
const someText = text.map((value) => `${value}x`)
const fields = fc.array(fc.tuple(text, text), { maxLength: 6 }).map((pairs) => pairs.flat())
const number = fc.oneof(fc.nat(300), fc.nat(2 ** 31 - 1), fc.constant(2 ** 32 - 1))

const request: fc.Arbitrary<RequestHead> = fc.record({
  method: someText,
  target: someText,
  trace: text,
  headers: fields,
  timeout: number,
  hops: number,
})
const response: fc.Arbitrary<ResponseHead> = fc.record({
  status: fc.integer({ min: 100, max: 999 }),
  headers: fields,
  code: number,
})

/** The codecs of one message: ours, and the one that protobufjs makes of the file. */
function same<Head extends object>(
  name: string,
  head: Head,
  most: number,
  write: (bytes: Uint8Array, from: number, head: Head) => number,
): Buffer {
  const bytes = new Uint8Array(most + 7)
  const ours = Buffer.from(bytes.subarray(7, write(bytes, 7, head)))
  const theirs = Buffer.from(message(name).encode(head).finish())
  if (!ours.equals(theirs)) throw new Error(`${ours.toString('hex')} ${theirs.toString('hex')}`)
  return ours
}

const { writeRequest, writeResponse, writeTrailers, requestMost, responseMost, fieldsMost } =
  pipeHeads
const { readRequest, readResponse, readTrailers } = pipeHeads

test('heads written by hand are those of protobufjs, byte by byte, and are read as they were', async (t) => {
  fc.assert(
    fc.property(request, (head) => {
      const bytes = same('Request', head, requestMost(head), writeRequest)
      t.matchOnly(readRequest(bytes), head)
    }),
    { numRuns: 300 },
  )
  fc.assert(
    fc.property(response, (head) => {
      const bytes = same('Response', head, responseMost(head), writeResponse)
      t.matchOnly(readResponse(bytes), head)
    }),
    { numRuns: 300 },
  )
  fc.assert(
    fc.property(fields, (list) => {
      const bytes = new Uint8Array(fieldsMost(list))
      const ours = bytes.subarray(0, writeTrailers(bytes, 0, list))
      t.same(Buffer.from(ours), Buffer.from(message('Trailers').encode({ fields: list }).finish()))
      t.same(readTrailers(ours), list)
    }),
  )
})

test('a head that another implementation wrote is read as protobufjs reads it, or refused', async (t) => {
  const defaults = { method: '', target: '', trace: '', headers: [], timeout: 0, hops: 0 }
  let read = 0
  fc.assert(
    fc.property(
      request,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 2 }),
      fc.oneof(fc.constant(new Uint8Array(0)), fc.uint8Array({ maxLength: 12 })),
      (head, changes, behind) => {
        const good = message('Request').encode(head).finish()
        const bytes = Uint8Array.of(...good, ...behind)
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte
        const ours = readRequest(bytes)
        if (ours === undefined) return
        read++
        t.matchOnly(ours, { ...defaults, ...message('Request').decode(bytes).toJSON() })
      },
    ),
    { numRuns: 2_000 },
  )
  t.ok(read > 100, `${read} were read`)
})

test('fields of the future are passed over, fields in any order are taken, the last counts', async (t) => {
  const future = protobuf
    .parse(`syntax = "proto3"; message Request {
    repeated string headers = 4; string target = 2; string method = 1;
    fixed64 a = 50; fixed32 b = 51; bytes c = 52; uint64 d = 53; }`)
    .root.lookupType('Request')
  const first = future
    .encode({ headers: ['a', 'ü'], target: '/x', a: 1, b: 2, d: 2 ** 50 })
    .finish()
  const second = future.encode({ method: 'PUT', target: '/y', c: Buffer.alloc(300) }).finish()
  const head = readRequest(Buffer.concat([first, second]))
  t.match(head, { method: 'PUT', target: '/y', headers: ['a', 'ü'], timeout: 0 })
})

test('the greeting is the SESSION of the file, field by field', (t) => {
  const { session } = new End('dialler', {}, 'alpha')
  const frames: Uint8Array[] = []
  session.flush(session.dial(0), 1e6, { write: (bytes) => frames.push(bytes.slice()) }, 0)
  const type = message('Session')
  const read = type.toObject(type.decode(Buffer.concat(frames).subarray(FRAME_HEAD)))
  const said = { ...read, id: [...read.id], secret: [...read.secret], link: Number(read.link) }
  t.match(said, { version: 1, oldest: 1, link: 1, instance: 'dialler', name: 'alpha' })
  t.same([said.id, said.secret], [[...ID], [...SECRET]])
  t.end()
})

test('what is no head is refused', async (t) => {
  const hex = (digits: string): Uint8Array => Buffer.from(digits, 'hex')
  const bad: readonly (readonly [string, string])[] = [
    ['no method', ''],
    ['no target', '0a0147'],
    ['a text of 2^63 bytes', '0aff ffff ffff ffff ff7f'],
    ['a varint without end', '28ffffffffffffffffffffff01'],
    ['a group', '0a01471201 2f0b0c'],
    ['field 0', '0a014712012f0000'],
    ['no UTF-8', '0a01ff12012f'],
    ['a name without value', '0a014712012f220178'],
    ['a field that is cut off', '0a014712012f99030000'],
  ]
  for (const [why, digits] of bad) {
    t.equal(readRequest(hex(digits.replaceAll(' ', ''))), undefined, why)
  }
  for (const status of [0, 99, 1_000]) {
    t.equal(readResponse(message('Response').encode({ status }).finish()), undefined, `${status}`)
  }
  t.equal(readTrailers(hex('0a0178')), undefined)
})

/** Frames as text; DATA put together again. */
function decodeAll(chunks: readonly Uint8Array[]): string[] {
  const framer = new PipeFramer()
  const input = new InputBuffer()
  const frames: string[] = []
  let data = ''
  const take = (next: () => ReturnType<PipeFramer['decode']>): boolean => {
    const frame = next()
    if (frame === undefined) return false
    if ('code' in frame) {
      if (frames.at(-1) !== frame.code) frames.push(frame.code)
      return false
    }
    data = (frame.first ? '' : data) + Buffer.from(frame.payload).toString('hex')
    if (frame.last) frames.push(`${frame.type} ${frame.stream} ${frame.ends} ${data}`)
    return true
  }
  for (const chunk of chunks) {
    input.push(chunk)
    while (take(() => framer.decode(input)));
  }
  while (take(() => framer.finish(input)));
  return frames
}

function frame(type: number, stream: number, ends: boolean, payload: Uint8Array): Uint8Array {
  const { length } = payload
  const whole: PipeFrame = { type, stream, ends, payload, length, first: true, last: true }
  return new PipeFramer().encode(whole)
}

test('frames come out alike however the bytes are cut', async (t) => {
  const empty = new Uint8Array(0)
  const bytes = Buffer.concat([
    frame(FrameType.session, 0, false, Uint8Array.of(1, 2, 3)),
    frame(FrameType.headers, 1, true, Uint8Array.of(4)),
    frame(FrameType.data, 2 ** 48 - 1, false, Uint8Array.of(5, 6, 7, 8)),
    frame(FrameType.data, 2 ** 33 + 2, true, empty),
    frame(FrameType.ack, 0, false, new Uint8Array(8)),
    frame(FrameType.headers, 9, false, empty),
  ])
  const expected = [
    '1 0 false 010203',
    '5 1 true 04',
    `6 ${2 ** 48 - 1} false 05060708`,
    `6 ${2 ** 33 + 2} true `,
    `2 0 false ${'00'.repeat(8)}`,
    '5 9 false ',
  ]
  for (const { name, chunks } of cuts(bytes)) t.same(decodeAll(chunks), expected, name)
  for (const at of [3, 12, 30, 37]) {
    t.equal(decodeAll([bytes.subarray(0, at)]).at(-1), 'FRAME_CUT', `the end at ${at}`)
  }
})

test('a length over the limit of its type, and what is no type, is refused by its head', async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['010001060000', 'FRAME_TOO_LONG'],
    ['ffffff050000', 'FRAME_TOO_LONG'],
    ['000801010000', 'FRAME_TOO_LONG'],
    ['000009020000', 'FRAME_TOO_LONG'],
    ['00000b0b0000', 'FRAME_INVALID'],
    ['00000000', 'FRAME_INVALID'],
    ['47455420', 'FRAME_INVALID'],
  ]
  for (const [digits, code] of cases) {
    const head = Buffer.from(digits.length > 8 ? `${digits}00000001` : digits, 'hex')
    for (const { name, chunks } of cuts(head))
      t.same(decodeAll(chunks), [code], `${digits} ${name}`)
  }
})

test('DATA is handed on in the parts in which it comes, without a copy', async (t) => {
  const framer = new PipeFramer()
  const input = new InputBuffer()
  const bytes = frame(FrameType.data, 1, true, new Uint8Array(50_000).fill(3))
  const parts: number[] = []
  for (let at = 0; at < bytes.length; at += 16_384) {
    const chunk = bytes.slice(at, at + 16_384)
    input.push(chunk)
    const part = framer.decode(input)
    if (part === undefined || 'code' in part) throw new Error('no part')
    t.equal(part.payload.buffer, chunk.buffer)
    t.equal(part.last, at + 16_384 >= bytes.length)
    parts.push(part.payload.length)
    t.equal(framer.decode(input), undefined)
    t.equal(input.length, 0)
  }
  t.same(parts, [16_374, 16_384, 16_384, 858])
})

test('a framer that waits for the next frame holds nothing of what was received', async (t) => {
  const framer = new PipeFramer()
  const input = new InputBuffer()
  input.push(frame(FrameType.ping, 0, false, new Uint8Array(8)))
  const ping = framer.decode(input)
  if (ping === undefined || 'code' in ping) throw new Error('no frame')
  t.equal(ping.payload.length, 8)
  t.equal(framer.decode(input), undefined)
  t.equal(ping.payload.length, 0, 'a view would keep the chunk that it was cut from')
})
