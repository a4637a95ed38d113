import assert from 'node:assert/strict'
import type { Acceptor, Connections } from '@sapwood/net'
import { connections, duplexPair } from '@sapwood/net'
import { cuts } from '@sapwood/testkit'
import { type Test, test } from 'tap'
import { Authority, type Certified } from '../net/certificates.ts'
import { requires } from '../requires.ts'
import { load, peer, type Running, startExample } from './example.ts'

interface Mail {
  readonly sender: string
  readonly recipients: readonly string[]
  readonly content: Uint8Array
  readonly isSecure: boolean
}
type Answer = readonly [code: number, ...lines: string[]]
interface Dialogue {
  readonly state: string
  command(line: string): Answer
  content(bytes: Uint8Array | undefined): Answer
}
interface DialogueModule {
  readonly Dialogue: new (options: object) => Dialogue
}
interface SessionModule {
  readonly receiveMail: (options: object) => Acceptor
}

const { receiveMail } = await load<SessionModule>('smtp/session.js')
const { Dialogue } = await load<DialogueModule>('smtp/dialogue.js')

const OPTIONS = {
  host: 'mail.sapwood.example',
  limits: { content: 1_000, recipients: 2 },
  accepts: (recipient: string) => recipient.endsWith('@sapwood.example'),
}

function dialogue(mails: Mail[] = [], offersTls = true): Dialogue {
  return new Dialogue({ ...OPTIONS, offersTls, deliver: (mail: Mail) => mails.push(mail) })
}

test('SMTP: commands are taken in their order, and what is refused changes nothing', async (t) => {
  const mails: Mail[] = []
  const session = dialogue(mails)
  const steps: readonly (readonly [string, number, string])[] = [
    ['MAIL FROM:<eve@a.example>', 503, 'connected'],
    ['XYZZY', 500, 'connected'],
    ['toString', 500, 'connected'],
    ['', 500, 'connected'],
    ['EHLO', 501, 'connected'],
    ['ehlo client.example', 250, 'greeted'],
    ['RCPT TO:<ada@sapwood.example>', 503, 'greeted'],
    ['DATA', 503, 'greeted'],
    ['MAIL FROM:eve@a.example', 501, 'greeted'],
    ['MAIL FROM:<eve@a.example> SIZE=1001', 552, 'greeted'],
    ['MAIL FROM:<eve@a.example> COLOUR=blue', 555, 'greeted'],
    ['MAIL FROM:<eve@a.example> SIZE=1000 BODY=8BITMIME', 250, 'sender'],
    ['MAIL FROM:<eve@a.example>', 503, 'sender'],
    ['DATA', 503, 'sender'],
    ['RCPT TO:<ada@elsewhere.example>', 550, 'sender'],
    ['RCPT TO:<ada@sapwood.example>', 250, 'recipients'],
    ['NOOP whatever', 250, 'recipients'],
    ['RCPT TO:<bob@sapwood.example>', 250, 'recipients'],
    ['RCPT TO:<eve@sapwood.example>', 452, 'recipients'],
    ['STARTTLS', 503, 'recipients'],
    ['DATA now', 501, 'recipients'],
    ['DATA', 354, 'content'],
  ]
  for (const [line, code, state] of steps) {
    t.equal(session.command(line)[0], code, line)
    t.equal(session.state, state, line)
  }
  t.equal(session.content(Buffer.from('hello\r\n'))[0], 250)
  t.match(mails, [
    {
      sender: 'eve@a.example',
      recipients: ['ada@sapwood.example', 'bob@sapwood.example'],
      isSecure: false,
    },
  ])
  t.equal(session.command('RCPT TO:<ada@sapwood.example>')[0], 503, 'a mail begins anew')
})

test('SMTP: RSET and a new greeting forget the mail, QUIT and HELP are understood at any time', async (t) => {
  const session = dialogue()
  t.equal(session.command('QUIT')[0], 221)
  session.command('EHLO a')
  for (const forget of ['RSET', 'HELO a', 'EHLO a']) {
    session.command('MAIL FROM:<>')
    session.command('RCPT TO:<ada@sapwood.example>')
    t.equal(session.command(forget)[0], 250)
    t.equal(session.command('DATA')[0], 503, forget)
  }
  t.match(session.command('HELP')[1], /\bMAIL RCPT DATA\b/)
})

test('SMTP: behind STARTTLS all that was said before is forgotten (RFC 3207)', async (t) => {
  const session = dialogue()
  t.ok(session.command('EHLO a').includes('STARTTLS'))
  t.equal(session.command('STARTTLS')[0], 220)
  t.equal(session.state, 'connected')
  t.notOk(session.command('EHLO a').includes('STARTTLS'))
  t.equal(session.command('STARTTLS')[0], 503)
  t.equal(dialogue([], false).command('EHLO a').includes('STARTTLS'), false)
})

/** A whole dialogue without waiting for an answer, and the code of every line that answers it. */
const DIALOGUE: readonly (readonly [said: string, ...codes: number[]])[] = [
  ['EHLO client.example', 250, 250, 250, 250],
  ['MAIL FROM:<eve@a.example>', 250],
  ['RCPT TO:<ada@sapwood.example>', 250],
  ['RCPT TO:<nobody@b.example>', 550],
  ['DATA', 354],
  ['Subject: one\r\n\r\n..dot\r\nDATA\r\n...\r\n\n.\nno end\r\n.\r\r\n.', 250],
  ['MAIL FROM:<>', 250],
  ['RCPT TO:<bob@sapwood.example>', 250],
  ['DATA', 354],
  ['.', 250],
  ['QUIT', 221],
]
const CONTENTS = ['Subject: one\r\n\r\n.dot\r\nDATA\r\n..\r\n\n.\nno end\r\n\r\r\n', '']

/** What a server that gets `chunks`, one after the other, answers until it hangs up. */
async function answersTo(
  server: Connections,
  accept: Acceptor,
  chunks: readonly Uint8Array[],
): Promise<string> {
  const [near, far] = duplexPair()
  server.adopt(far, accept)
  let answers = ''
  near.setEncoding('latin1').on('data', (text: string) => {
    answers += text
  })
  for (const chunk of chunks) near.write(chunk)
  near.on('error', () => {}).on('end', () => near.end())
  // it may be cut, which is no error of the test
  await new Promise((resolve) => near.once('close', resolve))
  return answers
}

test('2.4/3: a whole dialogue in one packet, and cut at every place, with the DATA switch', async (t) => {
  const server = connections('memory')
  t.teardown(() => server.shutdown())
  const stream = DIALOGUE.map(([said]) => `${said}\r\n`).join('')
  const codes = [220, ...DIALOGUE.flatMap(([, ...codes]) => codes)]
  for (const { name, chunks } of cuts(stream)) {
    const mails: Mail[] = []
    const deliver = (mail: Mail) => mails.push(mail)
    const answers = await answersTo(server, receiveMail({ ...OPTIONS, deliver }), chunks)
    const lines = answers.split('\r\n')
    assert.equal(lines.pop(), '', name)
    assert.deepEqual(
      lines.map((line) => Number(line.slice(0, 3))),
      codes,
      name,
    )
    assert.deepEqual(
      mails.map(({ content }) => Buffer.from(content).toString('latin1')),
      CONTENTS,
    )
  }
})

test('SMTP: a long line is answered; a mail over the limit and a row of mistakes end the connection', async (t) => {
  const server = connections('memory')
  t.teardown(() => server.shutdown())
  const accept = receiveMail({ ...OPTIONS, deliver: () => t.fail('nothing is to be delivered') })
  const large = `EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<ada@sapwood.example>\r\nDATA\r\n${'x'.repeat(1_001)}`
  const rest = Buffer.from('\r\n.\r\nNOOP\r\n')
  const answers = await answersTo(server, accept, [Buffer.from(large), rest])
  t.match(answers, /354 [^\n]+\n552 [^\n]+\n$/)
  const long = Buffer.from(`NOOP ${'x'.repeat(1_000)}\r\nNOOP\r\nQUIT\r\n`)
  t.match(await answersTo(server, accept, [long]), /^220 [^\n]+\n500 [^\n]+\n250 [^\n]+\n221 /)
  const mistakes = Buffer.from('XYZZY\r\n'.repeat(1_000))
  t.match(
    await answersTo(server, accept, [mistakes]),
    /^220 [^\n]+\n(500 [^\n]+\n){20}421 [^\n]+\n$/,
  )
})

interface Printed extends Omit<Mail, 'content'> {
  readonly content: string
}

/** The mails that the server has printed. */
function mailsOf({ program }: Running): Printed[] {
  const lines = program.stdout.split('\n').filter((line) => line.startsWith('{'))
  return lines.map((line) => JSON.parse(line) as Printed)
}

function swaks({ port }: Running, args: readonly string[], status = 0): Promise<string> {
  const server = ['--server', '127.0.0.1', '--port', `${port}`, '--from', 'eve@a.example']
  return peer('swaks', [...server, ...args], { status })
}

/** A key and a certificate for the test. */
function certified(t: Test): Certified {
  const authority = new Authority()
  t.teardown(() => authority.close())
  return authority.issue('mail.sapwood.example')
}

const ADA = ['--to', 'ada@sapwood.example']

const BODY = 'one\\n.\\n..\\n.dot\\nlast'

test('swaks sends mail, pipelined and over TLS', requires('swaks', 'openssl'), async (t) => {
  const { keyFile, certFile } = certified(t)
  const running = await startExample(t, 'smtp/server.js', { TLS_KEY: keyFile, TLS_CERT: certFile })
  const both = ['--to', 'ada@sapwood.example,bob@sapwood.example']
  await swaks(running, [...both, '--data', `Subject: plain\\n\\n${BODY}`])
  await swaks(running, [...ADA, '--tls', '--pipeline', '--data', `Subject: secure\\n\\n${BODY}`])
  const refused = await swaks(running, ['--to', 'ada@elsewhere.example', '--pipeline'], 24)
  t.match(refused, /550 nobody of that name here/)
  const mails = mailsOf(running)
  t.match(mails, [
    { isSecure: false, recipients: ['ada@sapwood.example', 'bob@sapwood.example'] },
    { isSecure: true, recipients: ['ada@sapwood.example'] },
  ])
  t.equal(mails.length, 2)
  for (const { content } of mails) t.match(content, /one\r\n\.\r\n\.\.\r\n\.dot\r\nlast\r\n/)
})

test('SMTP: clear text behind STARTTLS is refused', requires('openssl'), async (t) => {
  const server = connections('memory')
  t.teardown(() => server.shutdown())
  const { key, cert } = certified(t)
  const deliver = () => t.fail('nothing is to be delivered')
  const accept = receiveMail({ ...OPTIONS, tls: { key, cert }, deliver })
  const injected = 'EHLO a\r\nSTARTTLS\r\nMAIL FROM:<eve@a.example>\r\n'
  const answers = await answersTo(server, accept, [Buffer.from(injected)])
  t.notMatch(answers, /sender noted/)
  t.equal(server.counters.faults.get('CLEAR_TEXT_BUFFERED'), 1)
  t.match(await answersTo(server, accept, [Buffer.from('QUIT\r\n')]), /\r\n221 /)
})
