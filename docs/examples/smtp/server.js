/**
 * An SMTP server that prints every mail it gets, a line of JSON for each.
 *
 *     node docs/examples/smtp/server.js
 *     swaks --server 127.0.0.1:2525 --to ada@sapwood.example --pipeline
 *
 * PORT is 2525 if it is not set; TLS_KEY and TLS_CERT name PEM files and switch STARTTLS on.
 */
import { readFileSync } from 'node:fs'
import { connections } from '@sapwood/net'
import { receiveMail } from './session.js'

const DOMAIN = '@sapwood.example'
const MINUTE = 60_000

const { PORT = '2525', TLS_KEY, TLS_CERT } = process.env

const server = connections('tcp', {
  endpoint: { host: '127.0.0.1', port: Number(PORT) },
  report: console.error,
  limits: {
    // those of RFC 5321, section 4.5.3.2; a mail is one frame, so that is how long it may take
    idle: 5 * MINUTE,
    read: 10 * MINUTE,
    life: 60 * MINUTE,
    connections: 1_000,
    perAddress: 50,
  },
})

const { port } = await server.listen(
  receiveMail({
    host: 'mail.sapwood.example',
    limits: { content: 10_485_760, recipients: 100 },
    tls:
      TLS_KEY === undefined || TLS_CERT === undefined
        ? undefined
        : { key: readFileSync(TLS_KEY), cert: readFileSync(TLS_CERT) },
    accepts: (recipient) => recipient.toLowerCase().endsWith(DOMAIN),
    // whoever answers 250 is responsible for the mail: a real server writes it to disk here
    deliver: ({ content, ...mail }) =>
      console.log(JSON.stringify({ ...mail, content: Buffer.from(content).toString() })),
  }),
)
console.log(`SMTP listens on 127.0.0.1:${port}`)
