/** Pure protocols: text and bytes in, values out, and back. No sockets, no timers, no promises. */

export type { AnswerHead, HttpAnswer } from './answer.ts'
export { httpAnswer } from './answer.ts'
export type { Ask, AskHeaders } from './ask.ts'
export { parseAsk, parseTail } from './ask.ts'
export { fromBase64, toBase64 } from './base64.ts'
export { formatDuration, formatSize, parseDuration, parseSize } from './duration.ts'
export { envelope, envelopeText, frameText } from './envelope.ts'
export { isFault } from './fault.ts'
export type { Frame, FrameLimits } from './frame.ts'
export { FRAME_LIMITS, parseFrame, parseFrames } from './frame.ts'
export type { Framer } from './framer.ts'
export { FramingFault } from './framer.ts'
export type { Handler, Handlers } from './handler.ts'
export {
  exceptionReply,
  findHandler,
  handlerInput,
  handlerName,
  replyOf,
  unhandledReply,
} from './handler.ts'
export { InputBuffer } from './input-buffer.ts'
export { jsonLine } from './json-line.ts'
export { JsonMember, singleLine } from './json-member.ts'
export type { LineFramerOptions } from './line-framer.ts'
export { LineFramer } from './line-framer.ts'
export { mediaType } from './media-type.ts'
export type { PollAnswer } from './poll.ts'
export { parsePoll, pollAnswer } from './poll.ts'
export { eventName, retryLine, serverSentEvent } from './server-sent-events.ts'
export type { SseEvent } from './sse-decoder.ts'
export { SseDecoder } from './sse-decoder.ts'
export { utf8, utf8Length } from './utf8.ts'
export type { WebSocketFaultCode, WebSocketHandler } from './web-socket-decoder.ts'
export { WebSocketDecoder } from './web-socket-decoder.ts'
export { closeFrame, pingFrame, pongFrame, textFrame, webSocketFrame } from './web-socket-frame.ts'
export type {
  HandshakeFault,
  HandshakeHeaders,
  WebSocketHandshake,
} from './web-socket-handshake.ts'
export { acceptAnswer, WEB_SOCKET_GUID, webSocketHandshake } from './web-socket-handshake.ts'
