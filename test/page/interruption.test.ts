import type { Page } from 'playwright-core'
import { type Test, test } from 'tap'
import { requires } from '../requires.ts'
import { choose, Hub, openPage, textOf } from './stage.ts'

const needs = requires('chromium', 'curl')

/** What the page says of the last interruption. */
const verdict = (page: Page) => page.locator('#verdict')
const replayed = (page: Page) => page.locator('#log [data-kind="replay"]')
const cut = (page: Page) => page.getByRole('button', { name: 'Cut the connection for 10 s' })

test('what is published during a cut of 10 s is replayed, in order and once', needs, async (t) => {
  const hub = await Hub.start(t)
  const page = await openPage(t, hub)
  for (const choice of ['WebSocket', 'SSE', 'Long poll']) {
    await choose(page, choice)
    await page.getByRole('button', { name: 'Clear' }).click()
    await page.getByLabel('meanwhile publish').uncheck()
    await hub.publish('rooms/lobby', `{"${choice}":"before"}`)
    await page.getByText(`{"${choice}":"before"}`).waitFor()
    await cut(page).click()
    await page.getByText('Cut', { exact: true }).waitFor()
    t.equal(await cut(page).getAttribute('aria-disabled'), 'true')
    const missed = [1, 2, 3].map((number) => JSON.stringify({ [choice]: number }))
    for (const message of missed) await hub.publish('rooms/lobby', message)
    // by long poll it is away between any two polls anyhow
    t.match(await hub.clients(), [{ connected: choice === 'Long poll' }])
    await page.clock.fastForward(10_000)
    await page.clock.fastForward(5_000)
    const late = `3 messages ${choice === 'Long poll' ? 'kept by the hub' : 'replayed'}`
    await verdict(page).filter({ hasText: late }).waitFor()
    await verdict(page).filter({ hasText: 'no gap' }).waitFor()
    t.match(await textOf(verdict(page)), /^Back after a cut of 1\d s; the same session goes on/)
    await hub.publish('rooms/lobby', `{"${choice}":"after"}`)
    await page.getByText(`{"${choice}":"after"}`).waitFor()
    t.same(await replayed(page).locator('pre').allTextContents(), missed)
    t.equal(await page.locator('#log pre').count(), 5, 'none came twice')
  }
})

test('a cut costs nothing but what was published during it', needs, async (t) => {
  const hub = await Hub.start(t)
  const page = await openPage(t, hub)
  await page.getByLabel('meanwhile publish').uncheck()
  await cut(page).click()
  await page.clock.fastForward(11_000)
  await verdict(page).filter({ hasText: 'nothing was missed' }).waitFor()
  t.match(await textOf(verdict(page)), 'no gap')
  // the page publishes during its own cut, so that there is something to see
  await page.getByLabel('meanwhile publish').check()
  await cut(page).click()
  for (let second = 0; second < 15; second++) await page.clock.runFor(1_000)
  await verdict(page).filter({ hasText: 'messages replayed' }).waitFor()
  const first = await textOf(replayed(page).first())
  t.match(first, '{"meanwhile":1}')
  t.match(first, 'from this page')
  t.ok((await replayed(page).count()) > 5)
})

test(
  'a hub that is killed and started again: the page recovers and tells the gap',
  needs,
  async (t) => {
    let hub = await startProcess(t)
    const page = await openPage(t, hub)
    for (const choice of ['WebSocket', 'SSE', 'Long poll']) {
      await choose(page, choice)
      await hub.kill()
      await page.getByText('The hub is not there', { exact: true }).waitFor()
      await page.getByRole('button', { name: 'Publish', exact: true }).click()
      await page.locator('#publish-problem').filter({ hasText: 'cannot be reached' }).waitFor()
      hub = await startProcess(t, hub.port)
      await page.clock.fastForward(30_000)
      await verdict(page).filter({ hasText: 'there was a gap' }).waitFor()
      t.match(await textOf(verdict(page)), 'rooms/**: the hub was restarted')
      await page.locator('#log [data-kind="bad"]').filter({ hasText: 'Gap in rooms/**' }).waitFor()
      await hub.publish('rooms/lobby', `{"${choice}":"after"}`)
      await page.getByText(`{"${choice}":"after"}`).waitFor()
      await page.getByRole('button', { name: 'Clear' }).click()
    }
  },
)

function startProcess(t: Test, port = '0'): Promise<Hub> {
  return Hub.run(t, 'dev', '--json', '--port', port)
}
