import fc from 'fast-check'
import { keyLines } from 'sapwood'
import { test } from 'tap'

test('TOML: keys under headers, dotted, quoted and bare, are found on their lines', (t) => {
  const lineOf = keyLines(
    [
      '# poll.hold = 1', // 1
      'top = 1', // 2
      '[poll] # comment with "quote and [bracket', // 3
      'hold = "a # no comment" # [x]', // 4
      '"bundle" = \'[no] header\\\'', // 5
      'a.b . "c d" = 3', // 6
      '', // 7
      '  [ history . deep ]', // 8
      '\tage = 1979-05-27 07:32:00', // 9
    ].join('\r\n'),
    'toml',
  )
  t.equal(lineOf(['top']), 2)
  t.equal(lineOf(['poll']), 3)
  t.equal(lineOf(['poll', 'hold']), 4)
  t.equal(lineOf(['poll', 'bundle']), 5)
  t.equal(lineOf(['poll', 'a', 'b', 'c d']), 6)
  t.equal(lineOf(['history', 'deep', 'age']), 9)
  t.end()
})

test('TOML: multi-line strings and lists do not hide what follows', (t) => {
  const lineOf = keyLines(
    [
      'a = """', // 1
      '[no]', // 2
      'b = 1 \\""" still', // 3
      '"""""', // 4: two quotes belong to the text
      "c = '''", // 5
      "it's [d] = '''", // 6
      'd = [ # list', // 7
      '  "x]",', // 8
      '  [1, 2],', // 9
      ']', // 10
      'e = 5', // 11
    ].join('\n'),
    'toml',
  )
  t.equal(lineOf(['c']), 5)
  t.equal(lineOf(['d']), 7)
  t.equal(lineOf(['d', 0]), 8)
  t.equal(lineOf(['d', 1]), 9)
  t.equal(lineOf(['e']), 11)
  t.end()
})

test('TOML: lists of tables are counted, inline ones too', (t) => {
  const lineOf = keyLines(
    [
      '[[gate.rule]]', // 1
      'who = "a"', // 2
      '[[gate.rule]]', // 3
      'who = "b"', // 4
      '[gate.rule.more]', // 5
      'x = 1', // 6
      '[session]', // 7
      'policy = [', // 8
      '  { path = "a", policy = "b" },', // 9
      '  { path = "c",', // 10
      '    policy = "d" },', // 11
      ']', // 12
    ].join('\n'),
    'toml',
  )
  t.equal(lineOf(['gate', 'rule']), 1)
  t.equal(lineOf(['gate', 'rule', 0, 'who']), 2)
  t.equal(lineOf(['gate', 'rule', 1]), 3)
  t.equal(lineOf(['gate', 'rule', 1, 'who']), 4)
  t.equal(lineOf(['gate', 'rule', 1, 'more', 'x']), 6)
  t.equal(lineOf(['session', 'policy', 0, 'policy']), 9)
  t.equal(lineOf(['session', 'policy', 1, 'policy']), 11)
  t.end()
})

test('what has no line of its own gets the line of what is around it', (t) => {
  const lineOf = keyLines('\n[poll]\nhold = 1\n', 'toml')
  t.equal(lineOf(['poll', 'expire']), 2)
  t.equal(lineOf(['nothing', 'here']), 1)
  t.end()
})

/** Writes JSON and notes on which line each key and element begins. */
function layOut(value: unknown, path: readonly PropertyKey[], lines: Map<string, number>): string {
  let line = 1
  const write = (part: unknown, at: readonly PropertyKey[]): string => {
    if (typeof part !== 'object' || part === null) return JSON.stringify(part)
    const isList = Array.isArray(part)
    if (Object.keys(part).length === 0) return isList ? '[]' : '{}'
    const items = Object.entries(part).map(([key, item], index) => {
      line++
      const inside = [...at, isList ? index : key]
      lines.set(JSON.stringify(inside), line)
      return `${isList ? '' : `${JSON.stringify(key)} : `}${write(item, inside)}`
    })
    const text = items.join(',\n')
    return isList ? `[\n${text}]` : `{\n${text}}`
  }
  return write(value, path)
}

test('JSON: every key and element of any document is on its line', (t) => {
  fc.assert(
    fc.property(
      fc.object({ maxDepth: 4, values: [fc.string(), fc.double(), fc.constant(null)] }),
      (value) => {
        const lines = new Map<string, number>()
        const lineOf = keyLines(layOut(value, [], lines), 'json')
        for (const [path, line] of lines) {
          if (lineOf(JSON.parse(path)) !== line) return false
        }
        return true
      },
    ),
  )
  t.end()
})

test('the walk ends on any text, also on what no parser accepted', (t) => {
  const pieces = fc.constantFrom(
    '[',
    ']',
    '{',
    '}',
    '"',
    "'",
    '=',
    ':',
    ',',
    '.',
    '#',
    '\n',
    '\\',
    'a',
    ' ',
  )
  fc.assert(
    fc.property(
      fc.array(pieces, { maxLength: 40 }),
      fc.constantFrom('toml', 'json'),
      (parts, syntax) => {
        keyLines(parts.join(''), syntax as 'toml' | 'json')
      },
    ),
  )
  t.end()
})
