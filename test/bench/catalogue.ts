/** Everything there is to measure, in the order in which it is. */
import type { Peer } from './peer.ts'
import { plainWs } from './peers/plain-ws.ts'
import { sapwood } from './peers/sapwood.ts'
import { socketIo } from './peers/socket-io.ts'
import type { Scenario } from './scenario.ts'
import { framing } from './scenarios/framing.ts'
import { handOver } from './scenarios/hand-over.ts'
import { handshakes } from './scenarios/handshakes.ts'
import { idle } from './scenarios/idle.ts'
import { matching } from './scenarios/matching.ts'
import { pipeBody } from './scenarios/pipe-body.ts'
import { pipeCall } from './scenarios/pipe-call.ts'
import { pipeHttp } from './scenarios/pipe-http.ts'
import { pipeIdle } from './scenarios/pipe-idle.ts'
import { resp } from './scenarios/resp.ts'
import { resume } from './scenarios/resume.ts'
import { saturating } from './scenarios/saturate.ts'
import { splicing } from './scenarios/splicing.ts'
import { stoppedReader } from './scenarios/stopped-reader.ts'

export const PEERS: readonly Peer[] = [sapwood, plainWs, socketIo]

export const SCENARIOS: readonly Scenario[] = [
  ...saturating,
  handshakes,
  idle,
  resume,
  matching,
  framing,
  handOver,
  splicing,
  resp,
  stoppedReader,
  pipeHttp,
  pipeCall,
  pipeBody,
  pipeIdle,
]
