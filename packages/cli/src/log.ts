/**
 * Where a service writes what its operator should know: pino lines for machines, the same made pretty for a
 * terminal, and plain words for somebody who tries things out.
 */
import type { Log } from '@sapwood/hub'
import type { LogLevel } from './settings/kinds.ts'
import { LOG_LEVELS } from './settings/kinds.ts'
import type { Surroundings } from './surroundings.ts'

/** One JSON object a line on stdout; on a terminal pretty unless `json`, in colour unless `NO_COLOR` is set. */
export async function serviceLog(
  level: LogLevel,
  { stdout, env }: Pick<Surroundings, 'stdout' | 'env'>,
  json: boolean,
): Promise<Log> {
  const { pino } = await import('pino')
  if (json || stdout.isTTY !== true) {
    return pino({ level }, { write: (line) => void stdout.write(line) }) as Log
  }
  const { prettyFactory } = await import('pino-pretty')
  const pretty = prettyFactory({
    colorize: !env.NO_COLOR,
    ignore: 'pid,hostname',
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss',
  })
  return pino({ level }, { write: (line) => void stdout.write(pretty(line)) }) as Log
}

/** Words on stderr, for warnings and errors: who tries things out reads stdout for the messages. */
export function plainLog(level: LogLevel, { stderr }: Pick<Surroundings, 'stderr'>): Log {
  const least = Math.max(LOG_LEVELS.indexOf(level), LOG_LEVELS.indexOf('warn'))
  const write = (at: LogLevel, fields: object, text: string): void => {
    if (LOG_LEVELS.indexOf(at) < least) return
    const details = Object.entries(fields).map(
      ([name, value]) => ` ${name}=${JSON.stringify(value)}`,
    )
    stderr.write(`${at}: ${text}${details.join('')}\n`)
  }
  return {
    debug: (fields, text) => write('debug', fields, text),
    info: (fields, text) => write('info', fields, text),
    warn: (fields, text) => write('warn', fields, text),
    error: (fields, text) => write('error', fields, text),
  }
}
