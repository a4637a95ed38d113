/** From settings to what the line form takes. */
import type { LineIngressOptions } from '@sapwood/net'
import type { Values } from '../settings/table.ts'
import type { LineTrust } from './line-host.ts'

export interface LinePlan {
  /** `HOST:PORT`, `unix:PATH`, or empty where nothing listens for lines. */
  readonly address: string
  readonly trust: LineTrust
  readonly options: LineIngressOptions
}

export function linePlan(values: Values, dev: boolean): LinePlan {
  return {
    address: values['hub.line'],
    trust: { keys: values['hub.key'], dev },
    options: {
      length: values['line.length'],
      idle: values['line.idle'],
      connections: values['line.connections'],
      perAddress: values['line.connections_per_address'],
      addresses: values['line.addresses'],
      get: values['line.get'],
    },
  }
}
