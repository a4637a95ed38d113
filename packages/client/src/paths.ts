/**
 * Types of messages by path, from one map of patterns that the user declares. Nothing of this is left at run time.
 *
 * @example
 * interface Paths { 'orders/*': Order; 'news/**': string }
 * const client = connect<Paths>(url)
 * client.subscribe('orders/42', (order) => order.state) // Order
 */

/** Where nothing was declared, every path carries something unknown. */
export type AnyPaths = Record<string, unknown>

type Fits<Rule extends string, Segment extends string> = Rule extends '*'
  ? Segment extends '**'
    ? false
    : true
  : Segment extends Rule
    ? true
    : false

/** Is every path that `Pattern` matches matched by `Rule`? */
export type Covers<Rule extends string, Pattern extends string> = Rule extends '**'
  ? true
  : Rule extends `${infer RuleHead}/${infer RuleTail}`
    ? Pattern extends `${infer Head}/${infer Tail}`
      ? Fits<RuleHead, Head> extends true
        ? Covers<RuleTail, Tail>
        : false
      : RuleTail extends '**'
        ? Fits<RuleHead, Pattern>
        : false
    : Pattern extends `${string}/${string}`
      ? false
      : Fits<Rule, Pattern>

/** What comes on `Pattern`: what is declared for it, or for the patterns that cover it; `never` if nothing is. */
export type MessageOn<Paths, Pattern extends string> = string extends Pattern
  ? Paths[keyof Paths]
  : Pattern extends keyof Paths
    ? Paths[Pattern]
    : {
        [Rule in keyof Paths & string]: Covers<Rule, Pattern> extends true ? Paths[Rule] : never
      }[keyof Paths & string]

/** A path or pattern that `Paths` says something about; any other is an error of the compiler. */
export type Known<Paths, Pattern extends string> = [MessageOn<Paths, Pattern>] extends [never]
  ? never
  : Pattern

type HasWildcard<Path extends string> = Path extends `${infer Head}/${infer Tail}`
  ? HasWildcard<Head> extends true
    ? true
    : HasWildcard<Tail>
  : Path extends '*' | '**'
    ? true
    : false

/** As `Known`, of a path that something is sent to: where paths are declared, a pattern is an error, too. */
export type KnownPath<Paths, Path extends string> = string extends keyof Paths
  ? Path
  : // of several paths each for itself
    Path extends string
    ? HasWildcard<Path> extends true
      ? never
      : Known<Paths, Path>
    : never
