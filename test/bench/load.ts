/**
 * The load process: runs one scenario against one server and tells the figures to the runner that forked it.
 * Argument: a `LoadOrder` as JSON.
 */
import { PEERS, SCENARIOS } from './catalogue.ts'
import { Run } from './scenario.ts'

export interface LoadOrder {
  readonly scenario: string
  readonly variant: string
  /** Undefined for a scenario without a server. */
  readonly server?: { readonly peer: string; readonly port: number; readonly pid: number }
  readonly quick: boolean
}

export type LoadAnswer = { readonly figures: Record<string, number> } | { readonly error: string }

async function obey(order: LoadOrder): Promise<LoadAnswer> {
  const scenario = SCENARIOS.find(({ name }) => name === order.scenario)
  const peer = PEERS.find(({ name }) => name === order.server?.peer)
  if (scenario === undefined) return { error: 'no such scenario' }
  const target = peer && order.server && { ...order.server, peer }
  const run = new Run(target, order.variant, order.quick)
  try {
    return { figures: await scenario.run(run) }
  } catch (error) {
    return { error: (error as Error).message }
  } finally {
    run.close()
  }
}

process.on('disconnect', () => process.exit(1))
const answer = await obey(JSON.parse(process.argv[2] as string) as LoadOrder)
process.send?.(answer, () => process.exit(0))
