/** What it costs to pass on what another process says, beside haproxy and sslh with the same rules in the same run. */
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { Server } from 'node:net'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findProgram } from '../../requires.ts'
import { end, startNode, startProgram } from '../children.ts'
import { cpuSeconds, pause } from '../cost.ts'
import type { Figures, Run, Scenario } from '../scenario.ts'

const SERVER = fileURLToPath(new URL('../peers/shared-port-server.js', import.meta.url))
const CHUNK = Buffer.alloc(64 * 1024, 'x')
const PROXIES = ['haproxy', 'sslh']
const PRESENT = PROXIES.filter((name) => programOf(name) !== undefined)
const ROUNDS = 3

export const splicing: Scenario = {
  name: 'splicing',
  title: 'bytes from a service of another process to one client, told by three rules',
  peers: [],
  variants: PRESENT,
  columns: [
    { figure: 'cost', title: 'CPU s/GB', digits: 2 },
    { figure: 'theirs', title: 'CPU s/GB of theirs', digits: 2 },
    { figure: 'ratio', title: 'of theirs', digits: 2 },
  ],
  goal: {
    text: 'processor time per GB as a multiple of haproxy,',
    most: 2,
    value: (rows) => (PRESENT[0] === 'haproxy' ? rows[0]?.figures.ratio : undefined),
  },
  leftOut: PROXIES.filter((name) => !PRESENT.includes(name)).map((name) => `${name}: not found`),
  run: measure,
}

async function measure(run: Run): Promise<Figures> {
  const bytes = run.size(1_000_000_000, 20_000_000)
  const service = pouring(bytes)
  const folder = mkdtempSync(join(tmpdir(), 'sapwood-bench-'))
  const to = await portOf(service)
  const theirPort = await freePort()
  const ours = startNode('server', [SERVER, 'splice', String(to)], false)
  const program = programOf(run.variant) as string
  const args = argumentsOf(run.variant, folder, theirPort, to)
  const theirs = startProgram('server', program, args, { quiet: true })
  try {
    const [said] = await once(ours.stdout as NonNullable<typeof ours.stdout>, 'data')
    const sides = [
      { child: ours, port: Number(said), spent: 0 },
      { child: theirs, port: theirPort, spent: 0 },
    ]
    await pause(300)
    for (let round = 0; round <= ROUNDS; round++) {
      for (const side of sides) {
        const before = cpuSeconds(side.child.pid as number)
        await fetched(side.port, bytes)
        if (round > 0) side.spent += cpuSeconds(side.child.pid as number) - before
      }
    }
    const [cost = 0, other = 0] = sides.map(({ spent }) => spent / ((bytes * ROUNDS) / 1e9))
    return { cost, theirs: other, ratio: cost / other }
  } finally {
    await Promise.all([end(ours), end(theirs)])
    service.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Answers each request with so many bytes. */
function pouring(bytes: number): Server {
  return createServer({ noDelay: true }, (socket) => {
    let left = bytes
    const more = (): void => {
      while (left > 0) {
        const chunk = left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK
        left -= chunk.length
        if (!socket.write(chunk)) return
      }
      socket.end()
    }
    socket.on('drain', more)
    socket.on('error', () => socket.destroy())
    socket.once('data', more)
  })
}

async function fetched(port: number, bytes: number): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1' })
  let count = 0
  socket.on('data', (chunk) => {
    count += chunk.length
  })
  socket.write('GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await once(socket, 'end')
  socket.destroy()
  if (count !== bytes) throw new Error(`${count} bytes came, not ${bytes}`)
}

/** The usual sslh has a process for each connection, which no reading of one process would see. */
function programOf(name: string): string | undefined {
  return findProgram(name === 'sslh' ? 'sslh-select' : name)
}

function argumentsOf(name: string, folder: string, port: number, to: number): readonly string[] {
  const listen = `127.0.0.1:${port}`
  const file = join(folder, 'proxy.cfg')
  if (name === 'haproxy') {
    writeFileSync(file, haproxyConfig(listen, to))
    // -db: in the foreground, one process
    return ['-db', '-f', file]
  }
  writeFileSync(
    file,
    `foreground: true;\nlisten: ( { host: "127.0.0.1"; port: "${port}"; } );\nprotocols: (
  { name: "ssh"; host: "127.0.0.1"; port: "1"; },
  { name: "regex"; host: "127.0.0.1"; port: "1"; regex_patterns: [ "^[A-Z]+ /other/" ]; },
  { name: "http"; host: "127.0.0.1"; port: "${to}"; } );\n`,
  )
  return [`-F${file}`]
}

function haproxyConfig(listen: string, to: number): string {
  return `global
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend shared
  bind ${listen}
  tcp-request inspect-delay 3s
  tcp-request content accept if { req.payload(0,4) -m str SSH- } or HTTP
  use_backend closed if { req.payload(0,4) -m str SSH- }
  use_backend closed if { req.payload(0,11) -m str "GET /other/" }
  use_backend pages if HTTP
backend pages
  server one 127.0.0.1:${to}
backend closed
  server none 127.0.0.1:1
`
}

async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as { port: number }).port
}

async function freePort(): Promise<number> {
  const server = createServer()
  const port = await portOf(server)
  server.close()
  await once(server, 'close')
  return port
}
