/** Names of hosts as rules give them: one name, or `*.` and the name above. */
import { SapwoodError } from '@sapwood/core'

const PATTERN = /^(?:\*\.)?[!-)+-~]+$/

/**
 * A test for names without port, whatever their case. `*.example.org` stands for all names that are exactly one label
 * longer, as in certificates; `*` alone for any name.
 * @throws SapwoodError `EDGE_INVALID` for a `*` elsewhere, a port or a scheme.
 * @example hostPattern('*.example.org')('App.Example.org') // true
 */
export function hostPattern(pattern: string): (name: string) => boolean {
  if (pattern === '*') return (name) => name !== ''
  const wanted = bareName(pattern)
  if (!PATTERN.test(pattern) || hostName(pattern) !== wanted || /[/@]/.test(pattern)) {
    throw new SapwoodError(
      'EDGE_INVALID',
      `"${pattern}" is no name of a host; write \`app.example.org\` or \`*.example.org\`, without scheme or port`,
    )
  }
  if (!wanted.startsWith('*.')) return (name) => bareName(name) === wanted
  const above = wanted.slice(1)
  return (name) => {
    const bare = bareName(name)
    const dot = bare.indexOf('.')
    return dot > 0 && bare.slice(dot) === above
  }
}

/** The name in a `Host` header or an authority: without its port, `[` and `]` of an IPv6 address stay. */
export function hostName(authority: string): string {
  return bareName(authority.replace(/:\d*$/, ''))
}

function bareName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '')
}
