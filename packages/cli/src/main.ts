/** The process of the `sapwood` command. What fails unforeseen is told in words, too, and ends it with status 1. */
import { failureText } from './failure.ts'
import { run } from './program.ts'

/** How long anything may still hold the process open after the command is done, in milliseconds. */
const LINGER = 200

process.on('uncaughtException', (thrown) => {
  process.stderr.write(failureText(thrown, process.env))
  process.exit(1)
})

// whoever read our output has had enough, as in `sapwood sub '**' | head -1`
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1)
})

process.exitCode = await run(process.argv.slice(2), process)
setTimeout(() => process.exit(), LINGER).unref()
