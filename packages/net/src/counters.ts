/** What connections count: plain numbers, read when somebody wants to know. Invariant: they only grow. */
export class NetCounters {
  /** Connections that came in or were dialled. */
  opened = 0
  /** Those of them that are gone. */
  closed = 0
  /** Those of them that their acceptor refused. */
  rejected = 0
  framesReceived = 0
  framesSent = 0
  bytesReceived = 0
  bytesSent = 0
  /** What ended a connection, kept one away or was survived, by its code. */
  readonly faults: Map<string, number> = new Map()

  fault(code: string): void {
    this.faults.set(code, (this.faults.get(code) ?? 0) + 1)
  }
}
