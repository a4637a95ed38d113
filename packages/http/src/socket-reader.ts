/**
 * Who reads a socket. The listeners are shared by all sockets and find the reader on the socket: a reader can follow another
 * without any of them moving, and no closure waits with each of ten thousand idle clients.
 * Invariant: a socket has one reader at most; who sends nothing more is answered nothing more; an error ends the socket.
 */
import type { Duplex } from 'node:stream'
import { countChunk } from '@sapwood/net'

export interface SocketReader {
  /** Bytes came in. */
  read(chunk: Buffer): void
  /** The socket takes bytes again. */
  drained(): void
  /** The socket is gone. */
  ended(): void
}

const READER: unique symbol = Symbol('reader')
type Read = Duplex & { [READER]?: SocketReader | undefined }

/** Drops what comes. */
export const NOBODY: SocketReader = {
  read() {},
  drained() {},
  ended() {},
}

/** From now on `reader` gets what comes, whoever did before. */
export function readBy(socket: Read, reader: SocketReader): void {
  const isFirst = socket[READER] === undefined
  socket[READER] = reader
  if (isFirst) {
    socket.on('data', onData)
    socket.on('drain', onDrain)
    socket.on('end', onEnd)
    socket.on('error', onError)
    socket.on('close', onClose)
  } else if (socket.isPaused()) socket.resume()
}

/** Is it read by `reader`? */
export function isReadBy(socket: Read, reader: SocketReader): boolean {
  return socket[READER] === reader
}

/** Leaves the socket as if nobody had read it: what comes waits in it. */
export function release(socket: Read): void {
  if (socket[READER] === undefined) return
  socket[READER] = undefined
  socket.off('data', onData)
  socket.off('drain', onDrain)
  socket.off('end', onEnd)
  socket.off('error', onError)
  socket.off('close', onClose)
  // so that the next listener for data starts it again; node:http does the same when it lets go of a socket
  ;(socket as { readableFlowing: boolean | null }).readableFlowing = null
}

function onData(this: Read, chunk: Buffer): void {
  countChunk(chunk.length)
  this[READER]?.read(chunk)
}

function onDrain(this: Read): void {
  this[READER]?.drained()
}

function onEnd(this: Read): void {
  this.end()
}

function onError(this: Read): void {
  this.destroy()
}

function onClose(this: Read): void {
  this[READER]?.ended()
}
