/** The message that everything publishes: JSON of 200 bytes, unless told otherwise. */
const LENGTH = 200

/** @param number makes messages differ. */
export function payload(number: number, length: number = LENGTH): string {
  const head = `{"number":${number},"text":"`
  return `${head}${'x'.repeat(length - head.length - 2)}"}`
}
