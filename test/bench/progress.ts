/**
 * Waiting for something that many small events add up to. Whoever sees an event notifies; the one who waits asks
 * again whether it is enough. A failure ends the waiting, now or later.
 */
export class Progress {
  #notified: () => void = nothing
  #failed: (error: Error) => void = nothing
  #failure: Error | undefined

  notify(): void {
    this.#notified()
  }

  fail(reason: string): void {
    this.#failure ??= new Error(reason)
    this.#failed(this.#failure)
  }

  /**
   * Waits until `done` is true; it is asked at once, and at each notification.
   * @param patience milliseconds after which waiting is given up, with `what` in the error.
   */
  until(what: string, done: () => boolean, patience = 30_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer)
        this.#notified = this.#failed = nothing
      }
      const timer = setTimeout(() => {
        end()
        reject(new Error(`gave up waiting for ${what} after ${patience / 1000} s`))
      }, patience)
      this.#failed = (error) => {
        end()
        reject(error)
      }
      this.#notified = () => {
        if (!done()) return
        end()
        resolve()
      }
      if (this.#failure !== undefined) this.#failed(this.#failure)
      else this.#notified()
    })
  }
}

function nothing(): void {}
