/** What the `sapwood pki` commands do, and what they say. */
import { readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { nameFault, reasonOf, SapwoodError } from '@sapwood/core'
import type { SubjectName } from '@sapwood/pipe/pki'
import {
  Authority,
  checkCommonName,
  checkName,
  fingerprintOf,
  formatJoinToken,
  holderOf,
  Invitations,
  installIdentity,
  isServerAddress,
  keepCertificate,
  readCertificates,
  readSubjectNames,
  readTrust,
  requestIdentity,
  writeFiles,
} from '@sapwood/pipe/pki'
import { parseDuration } from '@sapwood/wire'
import type { PkiFlags } from '../commands/pki-command.ts'
import { failure } from '../failure.ts'
import type { Surroundings } from '../surroundings.ts'

/** What stands behind the command, its flags, and where it runs. */
type Action = (
  args: readonly string[],
  flags: PkiFlags,
  surroundings: Surroundings,
) => Promise<void>

const EXPIRES = 600_000
const SERVER_NAME = 'server'
const REQUEST_END = /(?:\.csr\.pem|\.csr|\.req|\.pem)$/

export const init: Action = async (_args, flags, surroundings) => {
  const dir = directoryOf(flags, surroundings)
  const { name } = flags
  if (name !== undefined) orUsage('--name', () => checkCommonName(name))
  const { signer } = await Authority.init(dir, {
    ...(name !== undefined && { commonName: name }),
    ...daysOf(flags),
  })
  const until = dateOf(signer.certificate.validTo)
  say(surroundings, `${join(dir, 'ca.crt.pem')} is a CA until ${until}`, [
    `keep ${join(dir, 'ca.key.pem')} to yourself: whoever has it can be anybody`,
    `next: sapwood pki issue ${SERVER_NAME}`,
  ])
}

export const issue: Action = async ([name = ''], flags, surroundings) => {
  checkUsage(name)
  const order = { also: namesOf(flags), ...daysOf(flags) }
  const authority = await Authority.open(directoryOf(flags, surroundings))
  const { certificate, files } = await authority.issue(name, order)
  const until = dateOf(certificate.validTo)
  say(surroundings, `${files.join(' and ')} are made: ${holderOf(certificate)}, until ${until}`)
}

export const csr: Action = async ([name = ''], flags, surroundings) => {
  checkUsage(name)
  const dir = directoryOf(flags, surroundings)
  const made = await requestIdentity(dir, name, namesOf(flags))
  const key = `${made.key} is ${made.isNewKey ? 'new' : 'used on'}, and stays here`
  say(surroundings, `${made.csr} is a request for ${name}; ${key}`, [
    `next, where the CA is: sapwood pki sign ${basename(made.csr)}`,
    'then here: sapwood pki install KEY CERTIFICATE CA',
  ])
}

export const sign: Action = async ([request = ''], flags, surroundings) => {
  const dir = directoryOf(flags, surroundings)
  const file = await fileOf(request, join(dir, `${request}.csr.pem`))
  const name = checkUsage(flags.name ?? basename(file).replace(REQUEST_END, ''))
  const order = { also: namesOf(flags), ...daysOf(flags) }
  const text = await textOf(file)
  const authority = await Authority.open(dir)
  const { certificate, ignored } = await authority.sign(name, text, order)
  const out = flags.out ?? (await keepCertificate(dir, name, certificate))
  if (flags.out !== undefined) await writeFiles([{ file: out, text: certificate.toString() }])
  const until = dateOf(certificate.validTo)
  const asked = `the request also asks for ${ignored.join(', ')}; --san grants it`
  const next = ignored.length > 0 ? [asked] : []
  say(surroundings, `${out} is made: ${holderOf(certificate)}, until ${until}`, next)
}

export const verify: Action = async ([certificate = ''], flags, surroundings) => {
  const dir = directoryOf(flags, surroundings)
  const file = await fileOf(certificate, join(dir, `${certificate}.crt.pem`))
  const [own] = readCertificates(await textOf(file), file)
  if (own === undefined) return
  const trust = await readTrust(dir)
  const [asClient, asServer] = (['client', 'server'] as const).map((role) =>
    trust.checkPeer(own, { role }),
  )
  if (asClient !== undefined && asServer !== undefined) {
    throw new SapwoodError(asClient.code, `${file} is not good: ${asClient.detail}`)
  }
  const role = asClient ? 'a server only' : asServer ? 'a client only' : 'client and server'
  const until = dateOf(own.validTo)
  say(surroundings, `${file} is good: ${holderOf(own)}, as ${role}, until ${until}`, [
    `SHA-256 ${own.fingerprint256}`,
  ])
}

export const revoke: Action = async ([name = ''], flags, surroundings) => {
  checkUsage(name)
  const dir = directoryOf(flags, surroundings)
  const { certificates, invitations } = await (await Authority.open(dir)).revoke(name)
  const lines = certificates.map(
    ({ serial, names, until }) => `${serial} of ${names.join(', ')}, until ${dateOf(until)}`,
  )
  if (invitations > 0) lines.push(`invitations taken back: ${invitations}`)
  const crl = join(dir, 'crl.pem')
  lines.push(`${crl} counts wherever it is; servers with another directory need a copy`)
  say(surroundings, `${name} is revoked: ${certificates.length} certificate(s)`, lines)
}

export const install: Action = async ([key = '', certificate = '', ca], flags, surroundings) => {
  if (flags.name !== undefined) checkUsage(flags.name)
  const texts = {
    key: await textOf(key),
    cert: await textOf(certificate),
    ca: ca === undefined ? undefined : await textOf(ca),
    crl: flags.crl === undefined ? undefined : await textOf(flags.crl),
  }
  const dir = directoryOf(flags, surroundings)
  const installed = await installIdentity(dir, texts, { name: flags.name })
  const until = dateOf(installed.certificate.validTo)
  say(surroundings, `${installed.name} is installed in ${dir}, until ${until}`, installed.files)
}

export const invite: Action = async ([name = ''], flags, surroundings) => {
  checkUsage(name)
  const { server = '', serverName = SERVER_NAME } = flags
  if (!isServerAddress(server)) {
    throw usage(`--server: ${JSON.stringify(server)} is no HOST:PORT`, 'name the pipe listener')
  }
  checkUsage(serverName, '--server-name')
  const until = Math.ceil((Date.now() + expiresOf(flags)) / 1000) * 1000
  const dir = directoryOf(flags, surroundings)
  const { certificate } = (await Authority.open(dir)).signer
  const secret = await new Invitations(dir).add({ name, until })
  const authority = fingerprintOf(certificate)
  const token = formatJoinToken({ server, serverName, name, authority, secret, until })
  surroundings.stdout.write(`${token}\n`)
  const end = new Date(until).toISOString()
  surroundings.stderr.write(
    `good once, until ${end}; on the machine that shall be ${name}:\n` +
      `  sapwood pipe client --name ${name} --join TOKEN\n`,
  )
}

function directoryOf({ dir }: PkiFlags, { env }: Surroundings): string {
  return dir ?? (env.SAPWOOD_PIPE_DIR || './pki')
}

function checkUsage(name: string, flag?: string): string {
  return orUsage(flag, () => checkName(name))
}

function namesOf({ san = [] }: PkiFlags): SubjectName[] {
  return orUsage('--san', () => san.flatMap(readSubjectNames))
}

/** What no certificate can be for is wrong usage: nothing was tried. */
function orUsage<Value>(flag: string | undefined, check: () => Value): Value {
  try {
    return check()
  } catch (thrown) {
    const cause = flag === undefined ? reasonOf(thrown) : `${flag}: ${reasonOf(thrown)}`
    throw usage(cause, 'see: sapwood pki --help')
  }
}

function daysOf({ days }: PkiFlags): { readonly days?: number } {
  if (days === undefined) return {}
  if (/^[1-9]\d{0,4}$/.test(days) && Number(days) <= 36_500) return { days: Number(days) }
  throw usage(`--days: ${JSON.stringify(days)} is no number of days`, 'choose 1 to 36500')
}

function expiresOf({ expires }: PkiFlags): number {
  const duration = expires === undefined ? EXPIRES : parseDuration(expires)
  if (duration !== undefined && duration >= 1000) return duration
  throw usage(`--expires: ${JSON.stringify(expires)} is no duration`, 'write it like 10m or 1h')
}

/** What was said, if it is a file, else where a NAME has its own. */
async function fileOf(said: string, usual: string): Promise<string> {
  const isFile = await stat(said).then(
    (look) => look.isFile(),
    () => false,
  )
  return isFile || nameFault(said, '') !== undefined || REQUEST_END.test(said) ? said : usual
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (thrown) {
    const detail = `cannot read ${file}: ${reasonOf(thrown)}; name another file`
    throw new SapwoodError('FILE_UNREADABLE', detail, { cause: thrown })
  }
}

function usage(cause: string, next: string): SapwoodError {
  return failure('USAGE_INVALID', cause, next)
}

function dateOf(time: string | number): string {
  return new Date(time).toISOString().slice(0, 10)
}

function say({ stdout }: Surroundings, first: string, more: readonly string[] = []): void {
  stdout.write(`${[first, ...more].join('\n  ')}\n`)
}
