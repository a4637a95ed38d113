// @ts-nocheck
// biome-ignore-all lint: generated
// biome-ignore-all assist: generated
/**
 * Generated from Reset, Session and Goaway of proto/pipe.proto by protobufjs-cli 2.7.1; do not edit. Its type is in
 * `message-root.ts`. The other messages are coded by hand, see `head-writer.ts`.
 * pbjs -t static-module -w es6 --no-create --no-verify --no-convert --no-delimited --no-typeurl --no-service --no-comments
 */
import type { MessageRoot } from './message-root.ts'
import $protobuf from 'protobufjs/minimal.js'

const $Reader = $protobuf.Reader,
  $Writer = $protobuf.Writer,
  $util = $protobuf.util
const $Object = $util.global.Object,
  $undefined = $util.global.undefined,
  $Error = $util.global.Error,
  $RangeError = $util.global.RangeError

const $root = $protobuf.roots['default'] || ($protobuf.roots['default'] = {})

export const sapwood: MessageRoot = ($root.sapwood = (() => {
  const sapwood = {}

  sapwood.pipe = (function () {
    const pipe = {}

    pipe.Reset = (function () {
      const Reset = function (properties) {
        if (properties)
          for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
            if (properties[keys[i]] != null && keys[i] !== '__proto__')
              this[keys[i]] = properties[keys[i]]
      }

      Reset.prototype.code = ''
      Reset.prototype.detail = ''
      Reset.prototype.refused = false

      Reset.encode = function (message, writer, _depth) {
        if (!writer) writer = $Writer.create()
        if (_depth === $undefined) _depth = 0
        if (_depth > $util.recursionLimit) throw $Error('max depth exceeded')
        if (
          message.code != null &&
          $Object.hasOwnProperty.call(message, 'code') &&
          message.code !== ''
        )
          writer.uint32(10).string(message.code)
        if (
          message.detail != null &&
          $Object.hasOwnProperty.call(message, 'detail') &&
          message.detail !== ''
        )
          writer.uint32(18).string(message.detail)
        if (
          message.refused != null &&
          $Object.hasOwnProperty.call(message, 'refused') &&
          message.refused !== false
        )
          writer.uint32(24).bool(message.refused)
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, '$unknowns'))
          for (let i = 0; i < message.$unknowns.length; ++i) writer.raw(message.$unknowns[i])
        return writer
      }

      Reset.decode = function (reader, length, _end, _depth, _target) {
        if (!(reader instanceof $Reader)) reader = $Reader.create(reader)
        if (_depth === $undefined) _depth = 0
        if (_depth > $Reader.recursionLimit) throw $Error('max depth exceeded')
        let end, message, value
        if (length === $undefined) end = reader.len
        else {
          end = reader.pos + length
          if (end > reader.len) throw $RangeError('index out of range')
          length = reader.len
          reader.len = end
        }
        message = _target || new $root.sapwood.pipe.Reset()
        while (reader.pos < end) {
          let start = reader.pos
          let tag = reader.tag()
          if (tag === _end) {
            _end = $undefined
            break
          }
          let wireType = tag & 7
          switch ((tag >>>= 3)) {
            case 1: {
              if (wireType !== 2) break
              if ((value = reader.stringVerify()).length) message.code = value
              else delete message.code
              continue
            }
            case 2: {
              if (wireType !== 2) break
              if ((value = reader.stringVerify()).length) message.detail = value
              else delete message.detail
              continue
            }
            case 3: {
              if (wireType !== 0) break
              if ((value = reader.bool())) message.refused = value
              else delete message.refused
              continue
            }
          }
          reader.skipType(wireType, _depth, tag)
          if (!reader.discardUnknown) {
            $util.makeProp(message, '$unknowns', false)
            ;(message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos))
          }
        }
        if (length !== $undefined) {
          if (reader.pos !== end) throw $RangeError('index out of range')
          reader.len = length
        }
        if (_end !== $undefined) throw $Error('missing end group')
        return message
      }

      return Reset
    })()

    pipe.Session = (function () {
      const Session = function (properties) {
        if (properties)
          for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
            if (properties[keys[i]] != null && keys[i] !== '__proto__')
              this[keys[i]] = properties[keys[i]]
      }

      Session.prototype.version = 0
      Session.prototype.oldest = 0
      Session.prototype.id = $util.newBuffer([])
      Session.prototype.secret = $util.newBuffer([])
      Session.prototype.link = $util.Long ? $util.Long.fromBits(0, 0, true) : 0
      Session.prototype.received = $util.Long ? $util.Long.fromBits(0, 0, true) : 0
      Session.prototype.resumed = false
      Session.prototype.instance = ''
      Session.prototype.streamWindow = 0
      Session.prototype.sessionWindow = 0
      Session.prototype.streams = 0
      Session.prototype.name = ''

      Session.encode = function (message, writer, _depth) {
        if (!writer) writer = $Writer.create()
        if (_depth === $undefined) _depth = 0
        if (_depth > $util.recursionLimit) throw $Error('max depth exceeded')
        if (
          message.version != null &&
          $Object.hasOwnProperty.call(message, 'version') &&
          message.version !== 0
        )
          writer.uint32(8).uint32(message.version)
        if (
          message.oldest != null &&
          $Object.hasOwnProperty.call(message, 'oldest') &&
          message.oldest !== 0
        )
          writer.uint32(16).uint32(message.oldest)
        if (message.id != null && $Object.hasOwnProperty.call(message, 'id') && message.id.length)
          writer.uint32(26).bytes(message.id)
        if (
          message.secret != null &&
          $Object.hasOwnProperty.call(message, 'secret') &&
          message.secret.length
        )
          writer.uint32(34).bytes(message.secret)
        if (
          message.link != null &&
          $Object.hasOwnProperty.call(message, 'link') &&
          (typeof message.link === 'object'
            ? message.link.low || message.link.high
            : message.link !== 0)
        )
          writer.uint32(40).uint64(message.link)
        if (
          message.received != null &&
          $Object.hasOwnProperty.call(message, 'received') &&
          (typeof message.received === 'object'
            ? message.received.low || message.received.high
            : message.received !== 0)
        )
          writer.uint32(48).uint64(message.received)
        if (
          message.resumed != null &&
          $Object.hasOwnProperty.call(message, 'resumed') &&
          message.resumed !== false
        )
          writer.uint32(56).bool(message.resumed)
        if (
          message.instance != null &&
          $Object.hasOwnProperty.call(message, 'instance') &&
          message.instance !== ''
        )
          writer.uint32(66).string(message.instance)
        if (
          message.streamWindow != null &&
          $Object.hasOwnProperty.call(message, 'streamWindow') &&
          message.streamWindow !== 0
        )
          writer.uint32(72).uint32(message.streamWindow)
        if (
          message.sessionWindow != null &&
          $Object.hasOwnProperty.call(message, 'sessionWindow') &&
          message.sessionWindow !== 0
        )
          writer.uint32(80).uint32(message.sessionWindow)
        if (
          message.streams != null &&
          $Object.hasOwnProperty.call(message, 'streams') &&
          message.streams !== 0
        )
          writer.uint32(88).uint32(message.streams)
        if (
          message.name != null &&
          $Object.hasOwnProperty.call(message, 'name') &&
          message.name !== ''
        )
          writer.uint32(98).string(message.name)
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, '$unknowns'))
          for (let i = 0; i < message.$unknowns.length; ++i) writer.raw(message.$unknowns[i])
        return writer
      }

      Session.decode = function (reader, length, _end, _depth, _target) {
        if (!(reader instanceof $Reader)) reader = $Reader.create(reader)
        if (_depth === $undefined) _depth = 0
        if (_depth > $Reader.recursionLimit) throw $Error('max depth exceeded')
        let end, message, value
        if (length === $undefined) end = reader.len
        else {
          end = reader.pos + length
          if (end > reader.len) throw $RangeError('index out of range')
          length = reader.len
          reader.len = end
        }
        message = _target || new $root.sapwood.pipe.Session()
        while (reader.pos < end) {
          let start = reader.pos
          let tag = reader.tag()
          if (tag === _end) {
            _end = $undefined
            break
          }
          let wireType = tag & 7
          switch ((tag >>>= 3)) {
            case 1: {
              if (wireType !== 0) break
              if ((value = reader.uint32())) message.version = value
              else delete message.version
              continue
            }
            case 2: {
              if (wireType !== 0) break
              if ((value = reader.uint32())) message.oldest = value
              else delete message.oldest
              continue
            }
            case 3: {
              if (wireType !== 2) break
              if ((value = reader.bytes()).length) message.id = value
              else delete message.id
              continue
            }
            case 4: {
              if (wireType !== 2) break
              if ((value = reader.bytes()).length) message.secret = value
              else delete message.secret
              continue
            }
            case 5: {
              if (wireType !== 0) break
              if (
                typeof (value = reader.uint64()) === 'object'
                  ? value.low || value.high
                  : value !== 0
              )
                message.link = value
              else delete message.link
              continue
            }
            case 6: {
              if (wireType !== 0) break
              if (
                typeof (value = reader.uint64()) === 'object'
                  ? value.low || value.high
                  : value !== 0
              )
                message.received = value
              else delete message.received
              continue
            }
            case 7: {
              if (wireType !== 0) break
              if ((value = reader.bool())) message.resumed = value
              else delete message.resumed
              continue
            }
            case 8: {
              if (wireType !== 2) break
              if ((value = reader.stringVerify()).length) message.instance = value
              else delete message.instance
              continue
            }
            case 9: {
              if (wireType !== 0) break
              if ((value = reader.uint32())) message.streamWindow = value
              else delete message.streamWindow
              continue
            }
            case 10: {
              if (wireType !== 0) break
              if ((value = reader.uint32())) message.sessionWindow = value
              else delete message.sessionWindow
              continue
            }
            case 11: {
              if (wireType !== 0) break
              if ((value = reader.uint32())) message.streams = value
              else delete message.streams
              continue
            }
            case 12: {
              if (wireType !== 2) break
              if ((value = reader.stringVerify()).length) message.name = value
              else delete message.name
              continue
            }
          }
          reader.skipType(wireType, _depth, tag)
          if (!reader.discardUnknown) {
            $util.makeProp(message, '$unknowns', false)
            ;(message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos))
          }
        }
        if (length !== $undefined) {
          if (reader.pos !== end) throw $RangeError('index out of range')
          reader.len = length
        }
        if (_end !== $undefined) throw $Error('missing end group')
        return message
      }

      return Session
    })()

    pipe.Goaway = (function () {
      const Goaway = function (properties) {
        if (properties)
          for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
            if (properties[keys[i]] != null && keys[i] !== '__proto__')
              this[keys[i]] = properties[keys[i]]
      }

      Goaway.prototype.last = $util.Long ? $util.Long.fromBits(0, 0, true) : 0
      Goaway.prototype.code = ''
      Goaway.prototype.detail = ''
      Goaway.prototype.ends = false
      Goaway.prototype.retryAfter = 0

      Goaway.encode = function (message, writer, _depth) {
        if (!writer) writer = $Writer.create()
        if (_depth === $undefined) _depth = 0
        if (_depth > $util.recursionLimit) throw $Error('max depth exceeded')
        if (
          message.last != null &&
          $Object.hasOwnProperty.call(message, 'last') &&
          (typeof message.last === 'object'
            ? message.last.low || message.last.high
            : message.last !== 0)
        )
          writer.uint32(8).uint64(message.last)
        if (
          message.code != null &&
          $Object.hasOwnProperty.call(message, 'code') &&
          message.code !== ''
        )
          writer.uint32(18).string(message.code)
        if (
          message.detail != null &&
          $Object.hasOwnProperty.call(message, 'detail') &&
          message.detail !== ''
        )
          writer.uint32(26).string(message.detail)
        if (
          message.ends != null &&
          $Object.hasOwnProperty.call(message, 'ends') &&
          message.ends !== false
        )
          writer.uint32(32).bool(message.ends)
        if (
          message.retryAfter != null &&
          $Object.hasOwnProperty.call(message, 'retryAfter') &&
          message.retryAfter !== 0
        )
          writer.uint32(40).uint32(message.retryAfter)
        if (message.$unknowns != null && $Object.hasOwnProperty.call(message, '$unknowns'))
          for (let i = 0; i < message.$unknowns.length; ++i) writer.raw(message.$unknowns[i])
        return writer
      }

      Goaway.decode = function (reader, length, _end, _depth, _target) {
        if (!(reader instanceof $Reader)) reader = $Reader.create(reader)
        if (_depth === $undefined) _depth = 0
        if (_depth > $Reader.recursionLimit) throw $Error('max depth exceeded')
        let end, message, value
        if (length === $undefined) end = reader.len
        else {
          end = reader.pos + length
          if (end > reader.len) throw $RangeError('index out of range')
          length = reader.len
          reader.len = end
        }
        message = _target || new $root.sapwood.pipe.Goaway()
        while (reader.pos < end) {
          let start = reader.pos
          let tag = reader.tag()
          if (tag === _end) {
            _end = $undefined
            break
          }
          let wireType = tag & 7
          switch ((tag >>>= 3)) {
            case 1: {
              if (wireType !== 0) break
              if (
                typeof (value = reader.uint64()) === 'object'
                  ? value.low || value.high
                  : value !== 0
              )
                message.last = value
              else delete message.last
              continue
            }
            case 2: {
              if (wireType !== 2) break
              if ((value = reader.stringVerify()).length) message.code = value
              else delete message.code
              continue
            }
            case 3: {
              if (wireType !== 2) break
              if ((value = reader.stringVerify()).length) message.detail = value
              else delete message.detail
              continue
            }
            case 4: {
              if (wireType !== 0) break
              if ((value = reader.bool())) message.ends = value
              else delete message.ends
              continue
            }
            case 5: {
              if (wireType !== 0) break
              if ((value = reader.uint32())) message.retryAfter = value
              else delete message.retryAfter
              continue
            }
          }
          reader.skipType(wireType, _depth, tag)
          if (!reader.discardUnknown) {
            $util.makeProp(message, '$unknowns', false)
            ;(message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos))
          }
        }
        if (length !== $undefined) {
          if (reader.pos !== end) throw $RangeError('index out of range')
          reader.len = length
        }
        if (_end !== $undefined) throw $Error('missing end group')
        return message
      }

      return Goaway
    })()

    return pipe
  })()

  return sapwood
})())
