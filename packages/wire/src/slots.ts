/** Where an update keeps each of its wire forms. One list, so that no two codecs share a place. */
export const Slot = {
  envelope: 0,
  webSocketFrame: 1,
  serverSentEvent: 2,
  jsonLine: 3,
  lineForm: 4,
} as const
