/**
 * The RESP example beside redis-server, both driven by redis-benchmark: 50 connections, 16 commands in each packet. They
 * take turns within a row, so that what else the machine does falls on both.
 */
import { type ChildProcess, execFile } from 'node:child_process'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { findProgram } from '../../requires.ts'
import { end, startProgram } from '../children.ts'
import { cpuSeconds } from '../cost.ts'
import { worst } from '../goal.ts'
import { programFile } from '../peer.ts'
import type { Figures, Run, Scenario } from '../scenario.ts'

const REDIS = 'redis-server'
const BENCHMARK = 'redis-benchmark'
const EXAMPLE = programFile('../../../docs/examples/resp/server.js')

const missing = [BENCHMARK, REDIS].filter((program) => findProgram(program) === undefined)

export const resp: Scenario = {
  name: 'resp',
  title: 'redis-benchmark -P 16 on docs/examples/resp and on redis-server, requests per second',
  peers: [],
  variants: missing.includes(BENCHMARK) ? [] : ['GET', 'SET'],
  columns: [
    { figure: 'rate', title: 'sapwood', digits: 0 },
    { figure: 'theirRate', title: REDIS, digits: 0 },
    { figure: 'ratio', title: 'of sapwood', digits: 2 },
    { figure: 'cost', title: 'server CPU us/request', digits: 2 },
    { figure: 'theirCost', title: `of ${REDIS}`, digits: 2 },
  ],
  goal: worst('ratio', `rate of ${REDIS} as a multiple of the example's, worst row,`, 3),
  leftOut: missing.map((program) => `${program}: left out, it is not on this machine.`),
  run: measureResp,
}

interface Server {
  readonly child: ChildProcess
  readonly port: number
  requests: number
  seconds: number
  processor: number
}

async function measureResp(run: Run): Promise<Figures> {
  const servers = [await startExample()]
  try {
    if (!missing.includes(REDIS)) servers.push(await startRedis())
    const requests = run.size(200_000, 20_000)
    // GET finds what this leaves, and code is compiled
    for (const { port } of servers) {
      for (const name of ['SET', run.variant]) await benchmark(port, name, requests)
    }
    for (let round = 0; round < run.size(5, 1); round++) {
      for (const server of servers) await measure(server, run.variant, requests)
    }
    const [ours, theirs] = servers.map(({ requests, seconds, processor }) => ({
      rate: requests / seconds,
      cost: (processor * 1e6) / requests,
    }))
    const { rate = Number.NaN, cost = Number.NaN } = ours ?? {}
    const { rate: theirRate = Number.NaN, cost: theirCost = Number.NaN } = theirs ?? {}
    return { rate, theirRate, ratio: theirRate / rate, cost, theirCost }
  } finally {
    for (const { child } of servers) await end(child)
  }
}

async function measure(server: Server, name: string, requests: number): Promise<void> {
  const pid = server.child.pid as number
  const before = cpuSeconds(pid)
  const rate = await benchmark(server.port, name, requests)
  server.processor += cpuSeconds(pid) - before
  server.requests += requests
  server.seconds += requests / rate
}

/** Requests per second. */
async function benchmark(port: number, name: string, requests: number): Promise<number> {
  const args = ['-p', port, '-t', name.toLowerCase(), '-P', 16, '-n', requests, '--csv']
  const { stdout } = await promisify(execFile)(BENCHMARK, args.map(String), { timeout: 30_000 })
  const [, rate] = new RegExp(`^"${name}","([\\d.]+)"`, 'm').exec(stdout) ?? []
  if (rate === undefined) throw new Error(`${BENCHMARK} said ${stdout}`)
  return Number(rate)
}

async function startExample(): Promise<Server> {
  const child = startProgram('server', process.execPath, [EXAMPLE], { env: { PORT: '0' } })
  const [, port] = await said(child, /listens on 127\.0\.0\.1:(\d+)/)
  return { child, port: Number(port), requests: 0, seconds: 0, processor: 0 }
}

/** It cannot be told to take any free port. */
async function startRedis(): Promise<Server> {
  const port = 20_000 + (process.pid % 10_000)
  const nowhere = ['--save', '', '--appendonly', 'no', '--bind', '127.0.0.1']
  const child = startProgram('server', REDIS, ['--port', `${port}`, ...nowhere])
  await said(child, /Ready to accept connections/)
  return { child, port, requests: 0, seconds: 0, processor: 0 }
}

/** Waits for a line, then lets the output run off. */
async function said(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  const output = child.stdout as NodeJS.ReadableStream
  for await (const line of createInterface({ input: output })) {
    const found = pattern.exec(line)
    if (found === null) continue
    output.resume()
    return found
  }
  throw new Error(`the server ended without ${pattern}`)
}
