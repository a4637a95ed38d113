/** The program curl, as a user runs it. */
import { spawn } from 'node:child_process'
import { within } from './support.ts'

/** Runs curl with `-s`; its output. */
export async function curl(args: readonly string[], input?: string | Uint8Array): Promise<string> {
  const child = spawn('curl', ['-s', ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  let text = ''
  child.stdout.on('data', (chunk) => {
    text += chunk
  })
  await within(new Promise((resolve) => child.on('close', resolve)), `curl ${args.join(' ')}`)
  return text
}
