/** The columns and figures of the scenarios that keep the server busy, and who was busy while they ran. */
import type { Saturation } from './closed-loop.ts'
import type { Cost } from './cost.ts'
import type { Column, Figures } from './scenario.ts'

/** Who was busy. Where neither server nor load was near 100 %, others took the processor. */
export const SHARES: readonly Column[] = [
  { figure: 'serverShare', title: 'server %', digits: 0 },
  { figure: 'loadShare', title: 'load %', digits: 0 },
  { figure: 'othersShare', title: 'others %', digits: 0 },
]

export const SATURATION: readonly Column[] = [
  { figure: 'cpu', title: 'server CPU us/delivery', digits: 2 },
  { figure: 'rate', title: 'deliveries/s', digits: 0 },
  { figure: 'perCore', title: 'per server core', digits: 0 },
  ...SHARES,
]

/** Percent of one core. */
export function shares({ seconds, server, load, others }: Cost): Figures {
  return {
    serverShare: (server / seconds) * 100,
    loadShare: (load / seconds) * 100,
    othersShare: (others / seconds) * 100,
  }
}

export function saturationFigures(saturation: Saturation): Figures {
  const { deliveries, seconds, server } = saturation
  return {
    cpu: (server / deliveries) * 1e6,
    rate: deliveries / seconds,
    perCore: deliveries / server,
    ...shares(saturation),
  }
}
