/** Pure protocols: text and bytes in, values out, and back. No sockets, no timers, no promises. */

export type { AnswerHead, HttpAnswer } from './answer.ts'
export { httpAnswer } from './answer.ts'
export type { Ask, AskHeaders } from './ask.ts'
export { parseAsk, parseTail } from './ask.ts'
export { fromBase64, toBase64 } from './base64.ts'
export type { Destination } from './destination.ts'
export { destinationFault, formatDestination, parseDestination } from './destination.ts'
export { formatDuration, formatSize, parseDuration, parseSize } from './duration.ts'
export { envelope, envelopeText, frameText } from './envelope.ts'
export { isFault } from './fault.ts'
export type { Frame, FrameLimits } from './frame.ts'
export { FRAME_LIMITS, parseFrame, parseFrames } from './frame.ts'
export type { ChunkFramerOptions } from './framing/chunk-framer.ts'
export { ChunkFramer } from './framing/chunk-framer.ts'
export type { CobsFramerOptions } from './framing/cobs-framer.ts'
export { CobsFramer } from './framing/cobs-framer.ts'
export type { DelimitedFramerOptions } from './framing/delimited-framer.ts'
export { DelimitedFramer } from './framing/delimited-framer.ts'
export { DotBlockFramer } from './framing/dot-block-framer.ts'
export type { FrameLimitOptions, TooLong } from './framing/frame-limit.ts'
export type { Framer } from './framing/framer.ts'
export { FRAME_CUT, FramingFault } from './framing/framer.ts'
export { IdentityFramer } from './framing/identity-framer.ts'
export { InputBuffer } from './framing/input-buffer.ts'
export type { LengthPrefixFramerOptions } from './framing/length-prefix-framer.ts'
export { LengthPrefixFramer } from './framing/length-prefix-framer.ts'
export type { LineFramerOptions } from './framing/line-framer.ts'
export { LineFramer } from './framing/line-framer.ts'
export type { FrameMapping } from './framing/map-framer.ts'
export { mapFramer } from './framing/map-framer.ts'
export { NetstringFramer } from './framing/netstring-framer.ts'
export type { StuffingFramerOptions } from './framing/stuffing-framer.ts'
export { StuffingFramer } from './framing/stuffing-framer.ts'
export { VarintPrefixFramer } from './framing/varint-prefix-framer.ts'
export type { Handler, Handlers } from './handler.ts'
export {
  exceptionReply,
  findHandler,
  handlerInput,
  handlerName,
  replyOf,
  unhandledReply,
} from './handler.ts'
export { jsonLine } from './json-line.ts'
export { JsonMember, singleLine } from './json-member.ts'
export { compactJson, isJson } from './json-text.ts'
export type { Line } from './line-form.ts'
export { lineForm, lineText, parseLine } from './line-form.ts'
export { mediaType } from './media-type.ts'
export type { PollAnswer } from './poll.ts'
export { parsePoll, pollAnswer } from './poll.ts'
export { eventName, retryLine, serverSentEvent } from './server-sent-events.ts'
export { bytesPattern, isAnchored } from './sniff/bytes-pattern.ts'
export type { ClientHello } from './sniff/client-hello.ts'
export { readClientHello } from './sniff/client-hello.ts'
export type { EdgeProtocol, EdgeWhen } from './sniff/edge-when.ts'
export { edgeMatcher } from './sniff/edge-when.ts'
export { any, http2, proxy, silent, ssh } from './sniff/first-bytes.ts'
export { hostPattern } from './sniff/host-pattern.ts'
export type { HttpWhen } from './sniff/http-matcher.ts'
export { http } from './sniff/http-matcher.ts'
export { formatIpAddress, parseIpAddress } from './sniff/ip-address.ts'
export { line } from './sniff/line-matcher.ts'
export type { ProxyAddress, ProxyHeader } from './sniff/proxy-header.ts'
export { parseProxyHeader, proxyHeader } from './sniff/proxy-header.ts'
export { rewriteHost } from './sniff/rewrite-host.ts'
export type { Matcher, Sniffed, Verdict } from './sniff/sniffed.ts'
export { decide } from './sniff/sniffed.ts'
export type { TlsWhen } from './sniff/tls-matcher.ts'
export { pipe, tls } from './sniff/tls-matcher.ts'
export type { SseEvent } from './sse-decoder.ts'
export { SseDecoder } from './sse-decoder.ts'
export { utf8, utf8Length } from './utf8.ts'
export type { WebSocketFaultCode, WebSocketHandler } from './web-socket-decoder.ts'
export { WebSocketDecoder } from './web-socket-decoder.ts'
export {
  binaryHeader,
  closeFrame,
  pingFrame,
  pongFrame,
  textFrame,
  webSocketFrame,
} from './web-socket-frame.ts'
export type {
  HandshakeFault,
  HandshakeHeaders,
  WebSocketHandshake,
} from './web-socket-handshake.ts'
export { acceptAnswer, WEB_SOCKET_GUID, webSocketHandshake } from './web-socket-handshake.ts'
