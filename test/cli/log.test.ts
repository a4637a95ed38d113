import { plainLog, serviceLog } from 'sapwood'
import { test } from 'tap'

function written(isTTY: boolean) {
  const lines: string[] = []
  const write = (text: string | Uint8Array): number => lines.push(String(text))
  return { lines, output: { write, isTTY } }
}

test('a service logs one JSON object a line', async (t) => {
  const { lines, output } = written(false)
  const log = await serviceLog('info', { stdout: output, env: {} }, false)
  log.info({ url: 'http://127.0.0.1:1' }, 'ready')
  log.debug({}, 'too much')
  log.error({ code: 'X' }, 'two\nlines')
  t.equal(lines.length, 2)
  t.match(JSON.parse(lines[0] as string), { level: 30, msg: 'ready', url: 'http://127.0.0.1:1' })
  t.match(JSON.parse(lines[1] as string), { level: 50, msg: 'two\nlines', code: 'X' })
})

test('on a terminal its log is pretty, unless JSON is wanted; without colour if so asked', async (t) => {
  const { lines, output } = written(true)
  const log = await serviceLog('info', { stdout: output, env: {} }, false)
  log.info({ url: 'http://127.0.0.1:1' }, 'ready')
  t.match(lines[0], /ready.*http:\/\/127\.0\.0\.1:1/)
  t.ok(lines[0]?.includes('\u001b['), 'in colour')
  const bare = written(true)
  const quiet = await serviceLog('info', { stdout: bare.output, env: { NO_COLOR: '1' } }, false)
  quiet.info({}, 'ready')
  t.match(bare.lines[0], /^\[\d\d:\d\d:\d\d\] INFO: ready\n$/)
  const json = written(true)
  const machine = await serviceLog('info', { stdout: json.output, env: {} }, true)
  machine.info({}, 'ready')
  t.match(JSON.parse(json.lines[0] as string), { msg: 'ready' })
})

test('in plain words only warnings and errors are told, with their details', (t) => {
  const { lines, output } = written(true)
  const log = plainLog('debug', { stderr: output })
  log.debug({}, 'a')
  log.info({}, 'b')
  log.warn({ port: 1 }, 'c')
  log.error({ code: 'X' }, 'd')
  t.strictSame(lines, ['warn: c port=1\n', 'error: d code="X"\n'])
  const grave = written(true)
  plainLog('error', { stderr: grave.output }).warn({}, 'c')
  t.strictSame(grave.lines, [])
  t.end()
})
