/**
 * A small web shop, as it was before it had push. Customers sign in and see the states of their orders; when the
 * warehouse ships one, they have to reload the page to see it.
 *
 *     node docs/tutorial/shop.js
 */
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'

const orders = new Map()
for (const [number, owner, item] of [
  ['41', 'ada', 'a kettle'],
  ['42', 'ada', 'two cups'],
  ['43', 'bob', 'a lamp'],
]) {
  orders.set(number, { number, owner, item, state: 'packed' })
}

/** Who is signed in, by the value of the cookie. */
const sessions = new Map()

const routes = [
  ['GET', /^\/$/, home],
  ['POST', /^\/login$/, login],
  ['GET', /^\/orders\/(\d+)$/, read],
  ['POST', /^\/orders\/(\d+)\/ship$/, ship],
]

function home({ user, response }) {
  send(response, 200, 'text/html', user === undefined ? loginPage() : orderPage(user))
}

/** A real shop would ask for a password. */
async function login({ request, response }) {
  const session = randomUUID()
  sessions.set(session, new URLSearchParams(await bodyOf(request)).get('user'))
  response.setHeader('Set-Cookie', `session=${session}; HttpOnly; SameSite=Lax; Path=/`)
  response.writeHead(303, { Location: '/' }).end()
}

function read({ user, response }, number) {
  const order = orders.get(number)
  if (order?.owner === user) send(response, 200, 'application/json', JSON.stringify(order))
  else send(response, 404, 'text/plain', 'no such order')
}

/** The warehouse calls this. A real one would show a credential. */
function ship({ response }, number) {
  const order = orders.get(number)
  if (order === undefined) return send(response, 404, 'text/plain', 'no such order')
  order.state = 'shipped'
  send(response, 200, 'application/json', JSON.stringify(order))
}

function loginPage() {
  return `<!doctype html>
<meta charset="utf-8">
<title>Shop</title>
<form method="post" action="/login">
  <label>Name <input name="user" value="ada"></label>
  <button>Sign in</button>
</form>`
}

function orderPage(user) {
  const own = [...orders.values()].filter(({ owner }) => owner === user)
  const rows = own.map(
    ({ number, item, state }) => `<tr><td>${number}<td>${item}<td id="${number}">${state}`,
  )
  return `<!doctype html>
<meta charset="utf-8">
<title>Shop</title>
<table>
${rows.join('\n')}
</table>
`
}

function send(response, status, type, text) {
  response.writeHead(status, { 'Content-Type': type }).end(text)
}

async function bodyOf(request) {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

async function answer(request, response) {
  const { pathname } = new URL(request.url, 'http://shop')
  const user = sessions.get(/session=([\w-]+)/.exec(request.headers.cookie)?.[1])
  for (const [method, pattern, handler] of routes) {
    const found = method === request.method && pattern.exec(pathname)
    if (found) return handler({ request, response, user }, ...found.slice(1))
  }
  send(response, 404, 'text/plain', 'nothing here')
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(error)
    response.writeHead(500).end()
  })
})
server.listen(process.env.PORT ?? 3000, '127.0.0.1', () => {
  console.log(`The shop is open: http://127.0.0.1:${server.address().port}/`)
})
