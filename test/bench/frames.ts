/**
 * The few frames that a load client sends and the text it reads while it subscribes. After that only `FrameCounter` looks
 * at what comes. Frames of a client are masked with zeros: the standard asks for a mask, not for a good one.
 */
const FINAL_TEXT = 0x81
const MASKED = 0x80

/** A text frame as a client sends it. */
export function clientFrame(text: string): Buffer {
  const body = Buffer.from(text)
  const long = body.length > 125
  if (body.length > 0xffff) throw new Error('a load client sends short frames only')
  const head = Buffer.alloc((long ? 4 : 2) + 4)
  head[0] = FINAL_TEXT
  head[1] = MASKED | (long ? 126 : body.length)
  if (long) head.writeUInt16BE(body.length, 2)
  return Buffer.concat([head, body])
}

/** The first server frame of `bytes`, or undefined while it is not complete. */
export function firstFrame(bytes: Buffer): { text: string; size: number } | undefined {
  if (bytes.length < 2) return undefined
  const short = (bytes[1] as number) & 127
  if (short === 127) throw new Error('a frame of 64 KiB or more where none was expected')
  const head = short === 126 ? 4 : 2
  if (bytes.length < head) return undefined
  const size = head + (short === 126 ? bytes.readUInt16BE(2) : short)
  if (bytes.length < size) return undefined
  return { text: bytes.toString('utf8', head, size), size }
}
