/** The part of qlobber that serves as the oracle of the matcher; the package brings no types. */
declare module 'qlobber' {
  interface QlobberOptions {
    readonly separator?: string
    readonly wildcard_one?: string
    readonly wildcard_some?: string
  }
  export class Qlobber<T> {
    constructor(options?: QlobberOptions)
    add(pattern: string, value: T): this
    remove(pattern: string, value?: T): this
    match(path: string): T[]
  }
}
