import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer as createHttp } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { probeHosts } from '../../../../scripts/doctor/facts/host-facts.ts'
import { newFolder } from '../../support/folders.ts'

const proxyVariables = ['http_proxy', 'https_proxy', 'no_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY']
beforeEach(() => {
  for (const name of proxyVariables) vi.stubEnv(name, undefined)
})
afterEach(() => {
  vi.unstubAllEnvs()
})

const servers: Server[] = []
const listen = async (server: Server): Promise<string> => {
  servers.push(server)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})
const openssl = spawnSync('openssl', ['version']).status === 0
if (!openssl) console.warn('Without openssl, the test of an untrusted certificate is skipped')

/** Starts a server with a self-signed certificate. */
async function startHttps(): Promise<{ host: string; certificate: string }> {
  const folder = newFolder()
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
  const make = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  execFileSync('openssl', [...make, '-keyout', key, '-out', certificate, ...subject], { stdio: 'ignore' })
  const options = { key: readFileSync(key), cert: readFileSync(certificate) }
  return { host: await listen(createHttps(options, (_, response) => response.end())), certificate }
}

test('a host stays unknown when there is no time to ask it', async () => {
  expect(await probeHosts(['example.org'], 1)).toEqual(new Map([['example.org', { state: 'unknown' }]]))
})

test('asks nothing without hosts', async () => {
  expect(await probeHosts([])).toEqual(new Map())
  expect(await probeHosts(['', ''])).toEqual(new Map())
})

test('tells a name that does not resolve from a host that does not respond', async () => {
  // Accepts the connection and never responds.
  const silent = await listen(createServer())
  const refused = await listen(createServer())
  servers.pop()?.close()
  const responses = await probeHosts(['no-such-host.invalid', silent, refused, silent], 2500)
  expect(responses.get('no-such-host.invalid')?.state).toBe('unresolved')
  expect(responses.get(silent)).toEqual({ state: 'unreachable' })
  expect(responses.get(refused)).toEqual({ state: 'unreachable', code: 'ECONNREFUSED' })
  expect(responses.size).toBe(3)
})

test.runIf(openssl)('tells an untrusted certificate from a trusted one, and reads the clock of the host', async () => {
  const { host, certificate } = await startHttps()
  expect(await probeHosts([host], 15_000)).toEqual(
    new Map([[host, { state: 'untrusted', code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }]]),
  )
  vi.stubEnv('NODE_EXTRA_CA_CERTS', certificate)
  const response = (await probeHosts([host], 15_000)).get(host)
  expect(response?.state).toBe('reachable')
  expect(Math.abs(response?.clockAhead ?? 99)).toBeLessThan(10)
})

test('uses the proxy, shows it without its password, and reports it when it refuses', async () => {
  const calls: string[] = []
  const proxy = createHttp()
  proxy.on('connect', (request, socket) => {
    calls.push(request.url!)
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
  })
  const address = await listen(proxy)
  vi.stubEnv('HTTPS_PROXY', `http://ada:secret@${address}`)
  vi.stubEnv('NO_PROXY', '127.0.0.1')
  const responses = await probeHosts(['no-such-host.invalid', '127.0.0.1:1'], 15_000)
  expect(responses.get('no-such-host.invalid')).toMatchObject({
    state: 'proxy unreachable',
    proxy: `http://${address}`,
  })
  expect(JSON.stringify([...responses])).not.toContain('secret')
  expect(responses.get('127.0.0.1:1')).toMatchObject({ state: 'unreachable' })
  expect(calls).toEqual(['no-such-host.invalid:443'])
})
