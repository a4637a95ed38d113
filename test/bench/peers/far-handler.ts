/** What the far ends answer: about 100 bytes, a body of any length, how long a body was. */
import type { IncomingMessage, ServerResponse } from 'node:http'

const ANSWER = Buffer.from(`{"time":1700000000,"name":"far","pad":"${'x'.repeat(60)}"}`)
const BLOCK = Buffer.alloc(65_536, 'abcdefghij')

export function answer(): Buffer {
  return ANSWER
}

/** So many bytes in parts. */
export function* blocks(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= BLOCK.length) {
    yield left < BLOCK.length ? BLOCK.subarray(0, left) : BLOCK
  }
}

export async function lengthOf(body: AsyncIterable<Uint8Array>): Promise<number> {
  let length = 0
  for await (const part of body) length += part.length
  return length
}

/** The same for node:http: `/time`, `/blob/BYTES`, `/sink`. */
export async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, , bytes] = (request.url ?? '').split('/')
  if (request.method === 'POST') return json(response, `{"bytes":${await lengthOf(request)}}`)
  if (bytes === undefined) return json(response, answer())
  response.writeHead(200, { 'content-length': bytes })
  for (const block of blocks(Number(bytes))) {
    if (!response.write(block)) await new Promise((resolve) => response.once('drain', resolve))
  }
  response.end()
}

function json(response: ServerResponse, body: Buffer | string): void {
  const head = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
  response.writeHead(200, head).end(body)
}
