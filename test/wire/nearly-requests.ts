/** Requests of HTTP/1.1 that are good, and others that nearly are: what two programs could read in two ways. */
import fc from 'fast-check'

/** @example head('GET / HTTP/1.1', 'Host: a') // 'GET / HTTP/1.1\r\nHost: a\r\n\r\n' */
export const head = (...lines: string[]): string => [...lines, '', ''].join('\r\n')

const piece = fc.constantFrom(
  ...['GET', 'POST', 'DELETE', ' ', '/', '/a//b', '?x', 'HTTP/1.1', 'HTTP/1.0', '\r\n', '\r\n\r\n'],
  ...[
    'Host: a',
    'Host',
    ':',
    ': ',
    'Content-Length: 3',
    'Content-Length: 0',
    'abc',
    '\n',
    '\r',
    '\t',
  ],
  ...[
    'Transfer-Encoding: chunked',
    'Connection: close',
    'Connection: keep-alive',
    'X-A: b  ',
    '\0',
  ],
  ...['Upgrade: x', 'Connection: Upgrade', 'é', '#', 'x y', '_', '"', '{}', '<', '\\', '^', '|'],
)
/** Mostly good, with a few pieces where they do not belong. */
export const nearlyRequest: fc.Arbitrary<string> = fc
  .record({
    start: fc.constantFrom('GET', 'HEAD', 'DELETE', 'POST', 'PATCH'),
    target: fc.oneof(fc.constant('/a'), fc.webPath(), fc.string({ maxLength: 8 })),
    fields: fc.array(
      fc.tuple(
        fc.oneof(
          fc.constantFrom('X-A', 'x_b', 'Connection', 'Content-Length', 'Transfer-Encoding'),
          fc.string({ maxLength: 6 }),
        ),
        fc.oneof(fc.constantFrom('3', 'close', 'chunked', 'a b', ''), fc.string({ maxLength: 8 })),
      ),
      { maxLength: 4 },
    ),
    odd: fc.array(fc.tuple(fc.nat(80), piece), { maxLength: 1 }),
  })
  .map(({ start, target, fields, odd }) => {
    const lines = fields.map(([name, value]) => `${name}: ${value}`)
    const body = start.startsWith('P') ? ['Content-Length: 2'] : []
    let text = head(`${start} ${target} HTTP/1.1`, 'Host: a', ...body, ...lines)
    for (const [at, what] of odd) text = text.slice(0, at) + what + text.slice(at)
    return text
  })

/** Hardly ever good. */
export const pieces: fc.Arbitrary<string> = fc.array(piece).map((all) => all.join(''))
