/**
 * The states of a connection as a table: what may be done in each, and which one follows.
 *
 *                delivers  queues  writes   finish    cut      wrap       wrapped
 *     open       yes       yes     yes      closing   closed   wrapping   -
 *     wrapping   -         yes     -        closed    closed   -          open
 *     closing    -         -       yes      -         closed   -          -
 *     closed     -         -       -        -         -        -          -
 *
 * `finish` ends it in good order, what was sent leaves; `cut` ends it now. An event that has no place in a state
 * changes nothing.
 */

export type StateEvent = 'finish' | 'cut' | 'wrap' | 'wrapped'

type StateName = 'open' | 'wrapping' | 'closing' | 'closed'

export interface State {
  readonly name: StateName
  /** Frames go to the application. */
  readonly delivers: boolean
  /** What is sent is kept until it can be written. */
  readonly queues: boolean
  /** What is kept is written. */
  readonly writes: boolean
  readonly next: Readonly<Partial<Record<StateEvent, StateName>>>
}

export const STATES: Readonly<Record<StateName, State>> = {
  open: {
    name: 'open',
    delivers: true,
    queues: true,
    writes: true,
    next: { finish: 'closing', cut: 'closed', wrap: 'wrapping' },
  },
  wrapping: {
    name: 'wrapping',
    delivers: false,
    queues: true,
    writes: false,
    next: { finish: 'closed', cut: 'closed', wrapped: 'open' },
  },
  closing: {
    name: 'closing',
    delivers: false,
    queues: false,
    writes: true,
    next: { cut: 'closed' },
  },
  closed: { name: 'closed', delivers: false, queues: false, writes: false, next: {} },
}
