/**
 * The paths that steer a hub and its clients. What each says, and who may send it, stands in docs/protocol.md; here is
 * only how they are spelled.
 */

/** The message is `id->pattern`; a client that means itself says the pattern alone. */
export const CONNECT = '::connect'
export const DISCONNECT = '::disconnect'
/** What the two become for whom they were about, once they have taken effect. */
export const CONNECTED = '::connected'
export const DISCONNECTED = '::disconnected'
/** A component was unregistered; the message is its id. */
export const GONE = '::gone'
/** What a publisher gets back. */
export const RECEIPT = '::receipt'
/** Below it lie the paths of answers. */
export const INBOX = '::inbox'

// between a hub and one client
export const HELLO = '::hello'
export const ERROR = '::error'
export const RESUMED = '::resumed'
export const GAP = '::gap'
export const PING = '::ping'
export const REPLY = '::reply'
export const CANCEL = '::cancel'
export const BYE = '::bye'
