/**
 * Errors as problem documents (RFC 9457): every refusal of this server is one, with the code that never changes.
 * Invariant: no stack, no secret, nothing of the request but what the code is about.
 */
import type { Fault } from '@sapwood/core'
import type { HttpResponse } from './http-message.ts'

/** Headers as Node takes them fastest: name, value, name, value. */
export type Headers = readonly string[]

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
}

/** The document of a fault. */
function problemText(fault: Fault): string {
  const { code, detail, status = 400, ...more } = fault
  return JSON.stringify({
    type: 'about:blank',
    title: TITLES[status],
    status,
    code,
    detail,
    ...more,
  })
}

/** Answers with a problem. Does nothing if the answer has begun. */
export function answerProblem(response: HttpResponse, fault: Fault, headers: Headers = []): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const text = problemText(fault)
  const length = String(Buffer.byteLength(text))
  const status = fault.status ?? 400
  const challenge = status === 401 ? ['WWW-Authenticate', 'Bearer realm="sapwood"'] : []
  response.writeHead(status, [
    'Content-Type',
    'application/problem+json',
    'Content-Length',
    length,
    ...challenge,
    ...headers,
  ])
  response.end(text)
}

/** A problem as a whole HTTP answer, for a socket that has no response object (any more). */
export function rawProblem(fault: Fault, headers: Headers = []): string {
  const text = problemText(fault)
  const status = fault.status ?? 400
  const lines = [`HTTP/1.1 ${status} ${TITLES[status] ?? 'Error'}`]
  const all = ['Content-Type', 'application/problem+json', 'Connection', 'close', ...headers]
  all.push('Content-Length', String(Buffer.byteLength(text)))
  for (let i = 0; i + 1 < all.length; i += 2) lines.push(`${all[i]}: ${all[i + 1]}`)
  return `${lines.join('\r\n')}\r\n\r\n${text}`
}

export function fault(code: string, detail: string, status = 400): Fault {
  return { code, detail, status }
}
