/** The demo page of `dev` and the browser SDK: files read once, served with a validator. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Call } from './call.ts'
import { fault } from './problem.ts'

interface Asset {
  readonly bytes: Buffer
  readonly tag: string
}

export interface Assets {
  readonly page: Asset | undefined
  readonly sdk: Asset | undefined
}

/** Reads the files. One that is missing is not served. */
export async function loadAssets(files: { page?: URL; sdk?: URL } = {}): Promise<Assets> {
  const [page, sdk] = await Promise.all([load(files.page), load(files.sdk)])
  return { page, sdk }
}

async function load(file: URL | undefined): Promise<Asset | undefined> {
  if (file === undefined) return undefined
  try {
    const bytes = await readFile(file)
    return {
      bytes,
      tag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 16)}"`,
    }
  } catch {
    return undefined
  }
}

/** What the page may load and run, and that no other may show it in a frame. */
const PAGE_POLICY = [
  "default-src 'self'",
  "img-src 'self' data:",
  "script-src 'self' 'unsafe-inline'",
  "style-src 'self' 'unsafe-inline'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ')

/** The page at `/`. It may run its own script and talk to this hub, nothing else. */
export function servePage(call: Call, assets: Assets): void {
  serve(call, assets.page, 'text/html; charset=utf-8', ['Content-Security-Policy', PAGE_POLICY])
}

/** The SDK at `/sapwood.js`, for pages of every origin. */
export function serveSdk(call: Call, assets: Assets): void {
  serve(call, assets.sdk, 'text/javascript; charset=utf-8', [
    'Access-Control-Allow-Origin',
    '*',
    'Cross-Origin-Resource-Policy',
    'cross-origin',
  ])
}

function serve(
  call: Call,
  asset: Asset | undefined,
  type: string,
  headers: readonly string[],
): void {
  if (!call.allows('GET', 'HEAD')) return
  if (asset === undefined) {
    return call.problem(fault('NOT_FOUND', `${call.path} is not served by this hub`, 404))
  }
  const common = ['ETag', asset.tag, 'Cache-Control', 'no-cache', ...headers]
  if (call.request.headers['if-none-match'] === asset.tag) {
    call.response.writeHead(304, common).end()
    return
  }
  call.response.writeHead(200, [
    'Content-Type',
    type,
    'Content-Length',
    String(asset.bytes.length),
    'X-Content-Type-Options',
    'nosniff',
    ...common,
  ])
  call.response.end(asset.bytes)
}
