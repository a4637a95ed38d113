import { bodyValue, jsonMessage, NO_ID, SYSTEM } from '@sapwood/core'

/**
 * Counts the orders that were paid, and publishes the count.
 * @param target where it publishes: a hub.
 */
export function tally(target) {
  let paid = 0
  const component = {
    id: NO_ID,
    principal: SYSTEM,
    update(_sender, path, message) {
      if (!path.startsWith('orders/')) return
      const order = bodyValue(message)
      if (order?.state === 'paid') target.update(component, 'statistics/paid', jsonMessage(++paid))
    },
  }
  return component
}
