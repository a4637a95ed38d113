/** Callers that are slow on purpose: `slowhttptest` against a hub that goes on serving everybody else. */
import { spawn } from 'node:child_process'
import { test } from 'tap'
import { requires } from '../requires.ts'
import { call, publish, serve, WsClient } from './support.ts'

const ATTACKERS = 40
/** How each of them is slow, and how the hub counts what it does about it. */
const ATTACKS = [
  { slow: 'heads', options: ['-H', '-u', '/'], code: 'HEADER_TIMEOUT' },
  { slow: 'bodies', options: ['-B', '-u', '/update/a'], code: 'BODY_TIMEOUT' },
  {
    slow: 'readers',
    options: ['-X', '-w', '1', '-y', '2', '-n', '1', '-z', '1', '-k', '3', '-u', '/metrics'],
    code: undefined,
  },
]

for (const { slow, options, code } of ATTACKS) {
  test(`slow ${slow} hinder nobody, and are ended`, requires('slowhttptest'), async (t) => {
    const limits = { headerTime: 1000, bodyTime: 1000 }
    const stand = await serve(t, { http: { limits } })
    const client = new WsClient(stand)
    await client.hello()
    await client.subscribe('a')
    const attack = attackers(stand.url, options)
    let sent = 0
    let over = false
    attack.then(() => {
      over = true
    })
    while (!over) {
      const started = performance.now()
      await publish(stand, 'a', ++sent)
      await client.frames.find(({ message }) => message === sent)
      t.ok(performance.now() - started < 2000, 'an update arrives while they are at it')
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    t.match(await attack, /service available:[^\n]*YES/)
    t.ok(sent > 5)
    if (code === undefined) return
    const { text } = await call(stand, '/metrics')
    t.match(text, `sapwood_faults_total{code="${code}"} ${ATTACKERS}`)
  })
}

/** What the program says at its end. */
function attackers(url: string, options: readonly string[]): Promise<string> {
  const target = options.map((option) => (option.startsWith('/') ? `${url}${option}` : option))
  const often = ['-c', String(ATTACKERS), '-r', String(ATTACKERS), '-i', '1', '-l', '4', '-p', '2']
  const child = spawn('slowhttptest', [...target, ...often])
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString('latin1')
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', () => resolve(said))
  })
}
