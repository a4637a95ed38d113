import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright-core'
import { test } from 'tap'
import { requires } from '../requires.ts'
import { choose, curl, Hub, openPage, openTab, terminal, textOf } from './stage.ts'

const needs = requires('chromium', 'curl')

/** The entries of the page's list of messages. */
const entries = (page: Page) => page.locator('#log > li')

test('what curl publishes is on the page, as text, with its path', needs, async (t) => {
  const hub = await Hub.start(t)
  const page = await openPage(t, hub)
  t.equal((await hub.publish('rooms/garden', '{"text":"<b>good</b> morning"}')).matched, 1)
  await page.getByText('{"text":"<b>good</b> morning"}').waitFor()
  t.match(await textOf(entries(page)), 'rooms/garden')
  t.equal(await page.locator('#log b').count(), 0, 'it is shown and not run')
  await terminal(`printf '\\377\\376' | curl -s --data-binary @- ${hub.url}/update/rooms/bytes`)
  await page.getByText('2 bytes').waitFor()
})

test('each of the three transports brings it, and the session stays the same', needs, async (t) => {
  const hub = await Hub.start(t)
  const page = await openPage(t, hub)
  const [before] = await hub.clients()
  for (const [choice, kind] of [
    ['SSE', 'sse'],
    ['Long poll', 'poll'],
    ['WebSocket', 'ws'],
  ] as const) {
    await choose(page, choice)
    const message = JSON.stringify({ by: kind })
    await hub.publish('rooms/lobby', message)
    await page.getByText(message).waitFor()
    const [now, ...others] = await hub.clients()
    t.match(now, { id: before?.id, transport: kind, patterns: ['rooms/**'] })
    t.same(others, [])
  }
  t.equal(await page.locator('#log [data-kind="bad"]').count(), 0, 'no gap')
})

test('two tabs get it; two callbacks of a tab are one subscription (PM-03)', needs, async (t) => {
  const hub = await Hub.start(t)
  const pages = [await openPage(t, hub), await openPage(t, hub)] as const
  t.same(
    (await hub.clients()).map(({ patterns }) => patterns),
    [['rooms/**'], ['rooms/**']],
  )
  const [first, second] = pages
  await first.getByRole('textbox', { name: 'Path' }).fill('rooms/lobby')
  await first.getByRole('textbox', { name: 'Message' }).fill('to all tabs')
  await first.getByRole('button', { name: 'Publish', exact: true }).click()
  await first.getByText('for 2 subscribers').waitFor()
  for (const page of pages) {
    const entry = entries(page).filter({ hasText: 'to all tabs' })
    await entry.waitFor()
    t.equal(await entry.count(), 1)
    t.equal(await page.locator('#rings').getAttribute('data-beat'), '', 'the other callback ran')
  }
  t.equal(await first.getByText('from this page').count(), 1)
  t.equal(await second.getByText('from this page').count(), 0)
})

test(
  'patterns that overlap show a message once; the last one taken back ends it',
  needs,
  async (t) => {
    const hub = await Hub.start(t)
    const page = await openPage(t, hub)
    await page.getByRole('textbox', { name: 'Pattern' }).fill('rooms/*')
    await page.getByRole('button', { name: 'Subscribe', exact: true }).click()
    await page.getByRole('button', { name: 'Unsubscribe rooms/*', exact: true }).waitFor()
    await hub.publish('rooms/lobby', '"first"')
    await page.getByText('"first"').waitFor()
    t.equal(await entries(page).count(), 1)
    for (const pattern of ['rooms/*', 'rooms/**']) {
      await page.getByRole('button', { name: `Unsubscribe ${pattern}`, exact: true }).click()
    }
    await t.resolves(
      page.waitForFunction(async () => {
        const [client] = await (await fetch('/client')).json()
        return client.patterns.length === 0
      }),
    )
    t.equal((await hub.publish('rooms/lobby', '"second"')).matched, 0)
  },
)

test('asked by curl, the page answers with its time (RP-10)', needs, async (t) => {
  const hub = await Hub.start(t)
  const page = await openPage(t, hub)
  const [client] = await hub.clients()
  const before = Date.now() / 1000
  const answer = await curl('--include', `${hub.url}/client/${client?.id}/time`)
  t.match(answer, /^x-event-return-code: 0\r$/im)
  const { time_from_client: time } = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))
  // the browser's clock is the machine's, give or take what it rounds
  t.ok(time > before - 5 && time < before + 5, `${time} is about ${before}`)
  await page.getByText('This page was asked 1 time').waitFor()
  t.match(await terminal(await textOf(page.locator('#ask'))), 'time_from_client')
})

test('every client of the list can be asked for its time', needs, async (t) => {
  const hub = await Hub.start(t)
  const page = await openPage(t, hub)
  const other = await openPage(t, hub)
  const row = (name: string) => page.locator('#clients > li').filter({ hasText: name })
  const [mine, theirs] = (await hub.clients()).map(({ id }) => id)
  await page.clock.fastForward(2_000)
  for (const [name, said] of [
    [mine, 'time_from_client'],
    [theirs, 'time_from_client'],
    ['the hub itself', 'time_from_server'],
  ] as const) {
    await row(name as string)
      .getByRole('button')
      .click()
    await row(name as string)
      .getByText(said)
      .waitFor()
  }
  t.equal(
    await row(mine as string)
      .getByText('this page')
      .isVisible(),
    true,
  )
  t.equal(
    await row(theirs as string)
      .getByText('this page')
      .isVisible(),
    false,
  )
  await other.getByText('This page was asked 1 time').waitFor()
  await other.close()
  await page.clock.fastForward(2_000)
  await row(theirs as string)
    .getByText('away')
    .waitFor()
})

test('the form works by keyboard alone, and so does the choice of transport', needs, async (t) => {
  const hub = await Hub.start(t)
  const page = await openPage(t, hub)
  const { keyboard } = page
  await keyboard.press('Tab')
  await keyboard.press('Enter')
  t.equal(await focused(page), 'publish-path', 'a link skips to the publisher')
  await keyboard.press('ControlOrMeta+a')
  await keyboard.type('rooms/attic')
  await keyboard.press('Tab')
  await keyboard.press('ControlOrMeta+a')
  await keyboard.type('{"by":"keyboard"}')
  await keyboard.press('Control+Enter')
  await entries(page).filter({ hasText: '{"by":"keyboard"}' }).waitFor()
  await keyboard.press('Tab')
  await keyboard.press('Enter')
  await entries(page).nth(1).waitFor()
  await keyboard.press('Tab')
  await keyboard.press('ArrowRight')
  t.match(await textOf(page.locator('#back-end')), /^await fetch.*rooms\/attic/)
  await page.locator('#transports input:checked').focus()
  await keyboard.press('ArrowRight')
  await page.getByText('Connected by SSE', { exact: true }).waitFor()
})

test('mistakes are told at the field that they concern', needs, async (t) => {
  const hub = await Hub.start(t)
  const page = await openPage(t, hub)
  await page.getByRole('textbox', { name: 'Path' }).fill('rooms//lobby')
  await page.getByRole('button', { name: 'Publish', exact: true }).click()
  await page.locator('#publish-problem').filter({ hasText: 'segment' }).waitFor()
  t.equal(await page.getByRole('textbox', { name: 'Path' }).getAttribute('aria-invalid'), 'true')
  await page.getByRole('textbox', { name: 'Pattern' }).fill('a/**/b')
  await page.keyboard.press('Enter')
  await page.locator('#subscribe-problem').filter({ hasText: 'a/**/b' }).waitFor()
  t.equal(await focused(page), 'subscribe-pattern')
})

/** How the languages of the page are run from a terminal. */
const languages: readonly (readonly [string, string, (code: string) => string])[] = [
  ['curl', 'curl', (code) => code],
  ['Node', 'node', (code) => `node --input-type=module <<'END-OF-CODE'\n${code}\nEND-OF-CODE`],
  ['Python', 'python3', (code) => `python3 - <<'END-OF-CODE'\n${code}\nEND-OF-CODE`],
]

test('the code for a back end works as it stands', needs, async (t) => {
  const hub = await Hub.start(t)
  const page = await openPage(t, hub)
  await page.getByRole('textbox', { name: 'Path' }).fill("rooms/it's 50% off?")
  for (const [language, program, line] of languages) {
    await t.test(language, requires(program), async (t) => {
      await page.getByRole('button', { name: 'Clear' }).click()
      await page.getByRole('radio', { name: language }).check()
      for (const text of [
        '{"text":[1,"it\'s"]}',
        `it's a "quote", a \\ and a $HOME\nand at the end of a line \\`,
      ]) {
        await page.getByRole('textbox', { name: 'Message' }).fill(text)
        await terminal(line(await textOf(page.locator('#back-end'))))
        const entry = entries(page).filter({ hasText: "rooms/it's 50% off?" }).last()
        await entry.filter({ hasText: text }).waitFor()
        t.equal(await textOf(entry.locator('pre')), text)
      }
    })
  }
})

test(
  'the page to copy works as it stands, served from elsewhere on this machine',
  needs,
  async (t) => {
    const hub = await Hub.start(t)
    const page = await openPage(t, hub)
    const html = await textOf(page.locator('#own-page'))
    const server = createServer((_request, response) => {
      response.setHeader('Content-Type', 'text/html').end(html)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.teardown(() => server.closeAllConnections())
    t.teardown(() => server.close())
    const own = await openTab(t)
    await own.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    await page.clock.fastForward(2_000)
    await page.getByText('Who is connected: 2 clients').waitFor()
    await hub.publish('rooms/own', '{"text":"here"}')
    await own.getByText('rooms/own: {"text":"here"}').waitFor()
  },
)

function focused(page: Page): Promise<string | undefined> {
  return page.evaluate(() => document.activeElement?.id)
}
