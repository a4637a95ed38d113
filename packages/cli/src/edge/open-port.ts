/** A shared port as a service of a process: it counts what went wrong, logs what it survived, and drains in time. */
import { reasonOf } from '@sapwood/core'
import type { Hub, Log } from '@sapwood/hub'
import type { Address, PortSwitchOptions } from '@sapwood/net'
import { formatAddress, portSwitch } from '@sapwood/net'
import type { Service } from '../until-stopped.ts'

export interface OpenPort extends Service {
  readonly address: Address
  /** As it is told in the line that says ready. */
  readonly place: string
}

/** What a port needs of the process that it is in. A hub lends its wheel and counts the faults. */
export interface PortHost {
  readonly log: Log
  readonly hub?: Hub
  /** How long open connections may go on when it drains, in milliseconds. */
  readonly drain: number
}

/** @throws SapwoodError whatever `portSwitch` throws. */
export async function openPort(
  options: PortSwitchOptions,
  { log, hub, drain }: PortHost,
): Promise<OpenPort> {
  const port = await portSwitch(options, {
    report: (code, cause) => log.warn({ code, reason: reasonOf(cause) }, 'the port survived this'),
    ...(hub === undefined ? {} : { wheel: hub.wheel, onFault: (code) => hub.counters.fault(code) }),
  })
  return {
    address: port.address,
    place: formatAddress(port.address),
    drain: () => port.drain(drain),
    close: () => port.close(),
  }
}
