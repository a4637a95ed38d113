/** Paths and patterns over an alphabet so small that they meet each other often. */
import fc from 'fast-check'

const literals = ['a', 'b', '*a', '***', 'a:', ':', 'ä']
const firstLiterals = [...literals, '::', '::c', '@', '@n', '@*']

function joined(
  first: readonly string[],
  later: readonly string[],
  last: readonly string[],
): fc.Arbitrary<string> {
  return fc
    .tuple(
      fc.constantFrom(...first),
      fc.array(fc.constantFrom(...later), { maxLength: 3 }),
      fc.option(fc.constantFrom(...last), { nil: undefined }),
    )
    .map(([head, middle, end]) => [head, ...middle, ...(end ? [end] : [])].join('/'))
}

/** Plain, control and direct paths. */
export const anyPath: fc.Arbitrary<string> = joined(firstLiterals, literals, literals)

/** Paths that wildcards may match. */
export const plainPath: fc.Arbitrary<string> = joined(literals, literals, literals)

/** Patterns with a `*` anywhere and a `**` at the end, `**` alone among them. */
export const anyPattern: fc.Arbitrary<string> = fc.oneof(
  { weight: 1, arbitrary: fc.constant('**') },
  {
    weight: 12,
    arbitrary: joined(
      [...firstLiterals, '*', '*', '*'],
      [...literals, '*', '*', '*'],
      [...literals, '*', '**', '**', '**'],
    ),
  },
)

/** What `**` and `*` mean, said in the plainest way, as the model for what is fast. */
export function matchesPlainly(pattern: string, path: string): boolean {
  const special = path.startsWith('::') || path.startsWith('@')
  const wanted = pattern.split('/')
  const given = path.split('/')
  if (special && wanted[0] !== given[0]) return false
  const open = wanted.at(-1) === '**'
  if (open) wanted.pop()
  if (open ? given.length < wanted.length : given.length !== wanted.length) return false
  return wanted.every((segment, i) => segment === '*' || segment === given[i])
}
