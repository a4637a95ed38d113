/** The mutual-TLS pipe: peers, servers, clients, handlers, HTTP fronts, identities. */

export type { AnswerRule } from './answer/answer-rules.ts'
export type {
  AnswererOptions,
  ClosableAnswerer,
  HandlerAnswererOptions,
  TargetAnswererOptions,
} from './answer/answerer.ts'
export { ANSWER_LIMITS, answerer, handlerAnswerer, targetAnswerer } from './answer/answerer.ts'
export type { HandlerLimits } from './answer/handler-route.ts'
export { loadHandlers } from './answer/load-handlers.ts'
export type { TargetLimits } from './answer/target-route.ts'
export type {
  AnswerExchange,
  Answerer,
  AnswerListener,
  Asker,
  Exchange,
  RequestListener,
} from './exchange.ts'
export type { ExchangeSessionOptions, LinkEvents } from './exchange-session.ts'
export { ExchangeSession } from './exchange-session.ts'
export type { Front, FrontCounters, FrontOptions } from './front/front-options.ts'
export type { FrontTarget } from './front/front-target.ts'
export type { PeersComponentOptions } from './front/peers-component.ts'
export { PeersComponent } from './front/peers-component.ts'
export type { PipeGatewayOptions } from './front/pipe-gateway.ts'
export { PipeGateway } from './front/pipe-gateway.ts'
export { serveFront } from './front/serve-front.ts'
export type { ResolveName } from './hooks/resolving-asker.ts'
export { resolvingAsker } from './hooks/resolving-asker.ts'
export type { HookName, StateHooks, StateReporterOptions } from './hooks/state-hooks.ts'
export { HOOK_NAMES, hookPath, StateReporter } from './hooks/state-hooks.ts'
export type { Invitation } from './join/invitations.ts'
export { Invitations } from './join/invitations.ts'
export type { JoinOptions } from './join/join-connection.ts'
export { JoinConnections, join } from './join/join-connection.ts'
export type { JoinAttempt, JoinDeskOptions } from './join/join-desk.ts'
export { JoinDesk } from './join/join-desk.ts'
export type { JoinLimitOptions } from './join/join-limit.ts'
export { JoinLimit } from './join/join-limit.ts'
export type { JoinAnswer, JoinRequest } from './join/join-messages.ts'
export {
  decodeJoinAnswer,
  decodeJoinRequest,
  encodeJoinAnswer,
  encodeJoinRequest,
  JOIN_LIMITS,
  JOIN_PROTOCOL,
  JOIN_REFUSED,
  joinFramer,
} from './join/join-messages.ts'
export type { JoinToken } from './join/join-token.ts'
export { formatJoinToken, isServerAddress, parseJoinToken } from './join/join-token.ts'
export type { Joining } from './join/joining.ts'
export { beginJoining, finishJoining, joinServerFault } from './join/joining.ts'
export type { LocalAskerOptions } from './local/local-asker.ts'
export { LocalAsker } from './local/local-asker.ts'
export { countingObserver } from './metrics/counting-observer.ts'
export type { NameHandler } from './metrics/measured.ts'
export { measuredAnswerer, measuredAsker } from './metrics/measured.ts'
export { PipeCounters, Timing } from './metrics/pipe-counters.ts'
export { METRICS_TYPE, pipeMetrics } from './metrics/pipe-metrics.ts'
export { StatsdLines } from './metrics/statsd-lines.ts'
export type { StatsdTapOptions } from './metrics/statsd-tap.ts'
export { StatsdTap } from './metrics/statsd-tap.ts'
export type { CallAnswer, CallOptions } from './peer/call.ts'
export { call } from './peer/call.ts'
export type { Endpoint, EndpointOptions, TrustOption } from './peer/endpoint.ts'
export type { Peer } from './peer/peer.ts'
export type { PeerBase, UpdateTaker } from './peer/peer-base.ts'
export type { PeerDirectoryOptions } from './peer/peer-directory.ts'
export { PeerDirectory } from './peer/peer-directory.ts'
export type { PeerObserver } from './peer/peer-observer.ts'
export type { PeerSettings } from './peer/peer-settings.ts'
export { PEER_SETTINGS, PIPE_ALPN } from './peer/peer-settings.ts'
export type { PipeClient, PipeClientOptions } from './peer/pipe-client.ts'
export { pipeClient } from './peer/pipe-client.ts'
export type { PipeClientState, PipeServer, PipeServerOptions } from './peer/pipe-server.ts'
export { pipeServer } from './peer/pipe-server.ts'
export type { ReconnectSettings } from './peer/reconnect-settings.ts'
export { RECONNECT } from './peer/reconnect-settings.ts'
export { TicketKeys } from './peer/ticket-keys.ts'
export type { TrustMaterial, TrustSource } from './peer/trust-source.ts'
export { fixedTrust } from './peer/trust-source.ts'
export type {
  InitOptions,
  IssuedCertificate,
  IssueOptions,
  Revoked,
  SignedRequest,
} from './pki/authority.ts'
export { AUTHORITY_DAYS, Authority, CERTIFICATE_DAYS } from './pki/authority.ts'
export type { IdentityTexts, Installed, InstallOptions } from './pki/install-identity.ts'
export { installIdentity } from './pki/install-identity.ts'
export type { Issued } from './pki/issued-log.ts'
export type { Signer, Use } from './pki/make-certificate.ts'
export { keepCertificate, requestIdentity } from './pki/request-identity.ts'
export type { SubjectName } from './pki/subject-names.ts'
export {
  checkCommonName,
  checkName,
  formatSubjectName,
  readSubjectNames,
  subjectName,
} from './pki/subject-names.ts'
export type { NewFile } from './pki/write-files.ts'
export { writeFiles } from './pki/write-files.ts'
export type { PeerRole } from './trust/certificate-fault.ts'
export { findName, holderOf } from './trust/certificate-fault.ts'
export type { DenyList } from './trust/deny-list.ts'
export { fingerprintOf, readDenyList } from './trust/deny-list.ts'
export type { Identity } from './trust/identity.ts'
export { checkIdentity, readIdentity } from './trust/identity.ts'
export { isCertified } from './trust/known-names.ts'
export type { KeptSession } from './trust/peer-certificate.ts'
export { peerCertificate } from './trust/peer-certificate.ts'
export type { PemBlock } from './trust/pem.ts'
export { pemBlocks, readCertificates, readCrlBlocks, readKey, toPem } from './trust/pem.ts'
export type { RevocationList } from './trust/revocation-list.ts'
export { readRevocationList } from './trust/revocation-list.ts'
export type { PeerExpectation, TrustOptions, TrustTexts } from './trust/trust.ts'
export { Trust } from './trust/trust.ts'
export type { TrustChange, TrustStoreOptions } from './trust/trust-store.ts'
export { readTrust, TrustStore } from './trust/trust-store.ts'
export type { HubRoutesOptions } from './updates/hub-routes.ts'
export { hubRoutes } from './updates/hub-routes.ts'
export type { Arrival, UpdatedPeer, UpdateHost } from './updates/update-host.ts'
export { UpdateSessions } from './updates/update-sessions.ts'
