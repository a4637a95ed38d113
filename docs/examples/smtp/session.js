/**
 * One SMTP connection: the dialogue on one side, framers and TLS on the other. Commands are lines; behind DATA what comes
 * in is a block that ends with a line of one dot, while answers stay lines; then lines again.
 * Invariant: the framer is switched between two frames, so it does not matter how the bytes were packed.
 */
import { startTls } from '@sapwood/net'
import { DotBlockFramer, FRAME_CUT, LineFramer, mapFramer } from '@sapwood/wire'
import { Dialogue } from './dialogue.js'

/** RFC 5321, section 4.5.3.1, and room for parameters. */
const LONGEST_LINE = 1_000
/** Commands that may go wrong before nobody believes in a mistake any more. */
const MISTAKES = 20

/** Lines as text, one character a byte. */
const TEXT = {
  parse: (bytes) => Buffer.from(bytes).toString('latin1'),
  format: (text) => Buffer.from(text, 'latin1'),
}

/**
 * The acceptor of a server that receives mail.
 * @param options what a `Dialogue` needs, and `tls`: key and certificate, if there are any
 */
export function receiveMail({ tls, ...options }) {
  const wrapper = tls === undefined ? undefined : startTls(tls)
  return (connection) => {
    const dialogue = new Dialogue({ ...options, offersTls: wrapper !== undefined })
    return new Session(connection, dialogue, wrapper)
  }
}

class Session {
  #connection
  #dialogue
  #wrapper
  #lines = mapFramer(new LineFramer({ limit: LONGEST_LINE, tooLong: 'error', end: '\r\n' }), TEXT)
  #content
  #mistakes = 0

  constructor(connection, dialogue, wrapper) {
    this.#connection = connection
    this.#dialogue = dialogue
    this.#wrapper = wrapper
    this.#content = new DotBlockFramer({ limit: dialogue.limits.content })
    connection.setFramers(this.#lines)
    this.#answer([220, `${dialogue.host} ESMTP`])
  }

  received(frame) {
    const connection = this.#connection
    if (this.#dialogue.state === 'content') {
      connection.receiveFramer = this.#lines
      this.#answer(this.#dialogue.content(frame))
      return
    }
    const code = this.#answer(this.#dialogue.command(frame))
    if (code === 354) connection.receiveFramer = this.#content
    // refused if the client has gone on already: whoever put those bytes there, they were not protected
    else if (code === 220) connection.wrap(this.#wrapper)
    else if (code === 221 || code === 421) connection.close()
  }

  /** A line was too long and is left out; or a mail was, and the connection ends behind the answer. */
  misframed({ code }) {
    // the client is gone in the middle of a mail, and is responsible for it as before
    if (code === FRAME_CUT.code) return
    if (this.#dialogue.state === 'content') this.#answer(this.#dialogue.content(undefined))
    else if (this.#answer([500, 'the line is too long']) === 421) this.#connection.close()
  }

  /** Sends an answer; too many mistakes make it the last. Gives its code. */
  #answer([code, ...lines]) {
    if (code >= 500 && ++this.#mistakes > MISTAKES) return this.#answer([421, 'too many mistakes'])
    const last = lines.length - 1
    for (const [index, line] of lines.entries()) {
      this.#connection.send(`${code}${index === last ? ' ' : '-'}${line}`)
    }
    return code
  }
}
