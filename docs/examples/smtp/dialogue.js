/**
 * SMTP, the receiving side (RFC 5321): which commands are understood, when, and what they answer. PIPELINING (RFC 2920)
 * needs nothing more: commands are answered one by one, in order, however many came in one packet.
 * Invariant: a command that is refused changes nothing; behind STARTTLS all that was said before is forgotten.
 */

const HELLO = { EHLO: 'greeted', HELO: 'greeted' }

/** The state after each command that was accepted. What does not stand here is out of order. */
const NEXT = {
  connected: { ...HELLO },
  greeted: { ...HELLO, STARTTLS: 'connected', MAIL: 'sender' },
  sender: { ...HELLO, RSET: 'greeted', RCPT: 'recipients' },
  recipients: { ...HELLO, RSET: 'greeted', RCPT: 'recipients', DATA: 'content' },
  content: { CONTENT: 'greeted' },
}

/** What is understood in every state but `content`, and changes none. */
const ALWAYS = new Set(['NOOP', 'QUIT', 'VRFY', 'HELP', 'RSET'])

/** What each command takes and answers; a code under 400 says that it was accepted. */
const COMMANDS = {
  HELO: { argument: /^(\S+)$/, answer: greet },
  EHLO: { argument: /^(\S+)$/, answer: greetExtended },
  STARTTLS: { argument: /^$/, answer: secure },
  MAIL: { argument: /^FROM: ?<([!-;=?-~]*)>((?: [!-~]+)*)$/i, answer: setSender },
  RCPT: { argument: /^TO: ?<([!-;=?-~]+)>$/i, answer: addRecipient },
  DATA: { argument: /^$/, answer: () => [354, 'go on, end with <CRLF>.<CRLF>'] },
  RSET: { argument: /^$/, answer: reset },
  NOOP: { argument: /^/, answer: () => [250, 'done'] },
  VRFY: { argument: /^./, answer: () => [252, 'send it and see'] },
  HELP: { argument: /^/, answer: () => [214, `I understand ${Object.keys(COMMANDS).join(' ')}`] },
  QUIT: { argument: /^$/, answer: () => [221, 'goodbye'] },
}

const LINE = /^([A-Za-z]+)(?: +(.*?))? *$/

export class Dialogue {
  state = 'connected'
  isSecure = false
  sender = ''
  recipients = []

  /**
   * @param host the name of this server
   * @param limits the most `content` in bytes, the most `recipients` of a mail
   * @param offersTls whether STARTTLS is understood
   * @param accepts tells whether mail to an address may come in; whoever takes all of them is used for spam
   * @param deliver gets every mail: `{ sender, recipients, content, isSecure }`
   */
  constructor({ host, limits, offersTls, accepts, deliver }) {
    this.host = host
    this.limits = limits
    this.offersTls = offersTls
    this.accepts = accepts
    this.deliver = deliver
  }

  /**
   * @param line a command without its line end
   * @returns the code of the answer and its lines
   */
  command(line) {
    const [, word = '', argument = ''] = LINE.exec(line) ?? []
    const verb = word.toUpperCase()
    if (!Object.hasOwn(COMMANDS, verb)) return [500, 'no such command']
    const next = NEXT[this.state][verb] ?? (ALWAYS.has(verb) ? this.state : undefined)
    if (next === undefined) return [503, `not now: ${Object.keys(NEXT[this.state]).join(' or ')}`]
    const found = COMMANDS[verb].argument.exec(argument)
    if (found === null) return [501, `${verb} does not take that`]
    const answer = COMMANDS[verb].answer(this, ...found.slice(1))
    if (answer[0] < 400) this.state = next
    return answer
  }

  /** @param bytes what came between DATA and its end, dots unstuffed; undefined if it was too long */
  content(bytes) {
    const { sender, recipients, isSecure } = this
    this.state = NEXT.content.CONTENT
    reset(this)
    if (bytes === undefined) return [552, `a mail may have ${this.limits.content} bytes`]
    this.deliver({ sender, recipients, content: bytes, isSecure })
    return [250, 'taken']
  }
}

function greet(dialogue) {
  reset(dialogue)
  return [250, dialogue.host]
}

function greetExtended(dialogue) {
  reset(dialogue)
  const extensions = ['PIPELINING', `SIZE ${dialogue.limits.content}`, '8BITMIME']
  if (dialogue.offersTls && !dialogue.isSecure) extensions.push('STARTTLS')
  return [250, dialogue.host, ...extensions]
}

function secure(dialogue) {
  if (!dialogue.offersTls) return [502, 'there is no certificate here']
  if (dialogue.isSecure) return [503, 'it is secure already']
  reset(dialogue)
  dialogue.isSecure = true
  return [220, 'begin']
}

function setSender(dialogue, sender, parameters) {
  for (const parameter of parameters.split(' ').filter((text) => text !== '')) {
    const [name, value = ''] = parameter.toUpperCase().split('=')
    if (name !== 'SIZE' && name !== 'BODY') return [555, `what is ${name}?`]
    if (name === 'SIZE' && Number(value) > dialogue.limits.content) {
      return [552, `a mail may have ${dialogue.limits.content} bytes`]
    }
  }
  dialogue.sender = sender
  return [250, 'sender noted']
}

function addRecipient(dialogue, recipient) {
  if (!dialogue.accepts(recipient)) return [550, 'nobody of that name here']
  if (dialogue.recipients.length === dialogue.limits.recipients) {
    return [452, `a mail may have ${dialogue.limits.recipients} recipients`]
  }
  dialogue.recipients.push(recipient)
  return [250, 'recipient noted']
}

function reset(dialogue) {
  dialogue.sender = ''
  dialogue.recipients = []
  return [250, 'forgotten']
}
