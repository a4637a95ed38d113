/**
 * Sends the head of a message before there is a body. What node:http flushes by itself it writes as UTF-8, so that a value which
 * is not ASCII would be another one at its reader.
 * Invariant: each character of a head is one byte. A message that can have no body is left to node:http, which writes it well when
 * it ends.
 */
import { OutgoingMessage } from 'node:http'
import type { HttpResponse } from '@sapwood/http'

export function flushHead(message: HttpResponse | OutgoingMessage): void {
  if (!(message instanceof OutgoingMessage)) return message.flushHeaders()
  // nothing, but as bytes: the head goes before it
  if (!message.destroyed && !message.writableEnded) message.write('', 'latin1')
}
