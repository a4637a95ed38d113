/** Loaded into each server: collects garbage on SIGUSR2, so that memory is compared and not its collectors' moods. */
process.on('SIGUSR2', () => {
  globalThis.gc?.()
  globalThis.gc?.()
})
