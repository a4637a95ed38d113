/**
 * The little that the conformance suites need of a test runner, so that this package depends on none. A tap
 * `Test` fits as it is.
 */
type Text = [] | [message: string]

export interface TestLike {
  test(name: string, body: (t: TestLike) => Promise<void>): unknown
  ok(value: unknown, ...text: Text): unknown
  equal(found: unknown, wanted: unknown, ...text: Text): unknown
  /** Deep equality. */
  same(found: unknown, wanted: unknown, ...text: Text): unknown
}
