import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer as createHttp } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { proxies } from '../../../scripts/doctor/checks/network.ts'
import type { Facts } from '../../../scripts/doctor/facts/facts.ts'
import { askHosts } from '../../../scripts/doctor/facts/hosts.ts'
import { isLoopback, readProxies, withoutPassword } from '../../../scripts/doctor/facts/proxies.ts'
import type { EngineFacts } from '../../../scripts/engine/engine-facts.ts'
import { newFolder } from '../support/publisher.ts'

// The doctor's look at the network: proxies of two sides, and hosts that are away in different ways.

const names = ['http_proxy', 'https_proxy', 'no_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'LAB_USER_NO_PROXY']
let kept: Record<string, string | undefined>
beforeEach(() => {
  kept = Object.fromEntries(names.map(name => [name, process.env[name]]))
  for (const name of names) delete process.env[name]
})
afterEach(() => {
  for (const [name, value] of Object.entries(kept))
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
})

test.each<[NodeJS.ProcessEnv, ReturnType<typeof readProxies>]>([
  [{}, { onLoopback: false, coversLab: false }],
  [{ NO_PROXY: 'example.org' }, { onLoopback: false, coversLab: false }],
  [{ HTTPS_PROXY: 'http://proxy:3128' }, { address: 'http://proxy:3128', onLoopback: false, coversLab: true }],
  [
    { http_proxy: 'http://ada:secret@proxy:3128/', no_proxy: 'localhost, 127.0.0.1' },
    { address: 'http://proxy:3128', onLoopback: false, coversLab: false },
  ],
  [
    { HTTPS_PROXY: 'http://127.0.0.1:7890', NO_PROXY: 'localhost' },
    { address: 'http://127.0.0.1:7890', onLoopback: true, coversLab: true },
  ],
  [
    { HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: 'localhost,127.0.0.0/8' },
    { address: 'http://proxy:3128', onLoopback: false, coversLab: false },
  ],
  [
    { HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: '*' },
    { address: 'http://proxy:3128', onLoopback: false, coversLab: false },
  ],
  [
    // What the launcher adds for the lab's own programs is not the user's
    { HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: '127.0.0.1,localhost', LAB_USER_NO_PROXY: '' },
    { address: 'http://proxy:3128', onLoopback: false, coversLab: true },
  ],
])('the proxies of %j', (env, found) => expect(readProxies(env)).toEqual(found))

test('which addresses are this machine, and what of an address may be shown', () => {
  expect(['http://localhost:1', '127.0.0.1:3128', 'http://a:b@127.0.1.1/', 'http://[::1]:8'].map(isLoopback)).toEqual(
    Array(4).fill(true),
  )
  expect(['http://proxy:1', 'http.docker.internal:3128', 'http://127.example.org'].map(isLoopback)).toEqual(
    Array(3).fill(false),
  )
  expect(withoutPassword('http://ada:se@cret@proxy:3128/')).toBe('http://proxy:3128')
  expect(withoutPassword('proxy:3128')).toBe('proxy:3128')
})

describe('proxies of this shell and of the engine', () => {
  const engine = {
    product: 'Docker Engine',
    endpoint: 'unix:///var/run/docker.sock',
    local: true,
    wsl: false,
    proxy: { http: '', https: '', no: '' },
  } as EngineFacts
  const none = { onLoopback: false, coversLab: false }
  const school = { ...none, address: 'http://proxy:3128' }
  const missing = [{ here: false }, { here: false }] as Facts['images']
  const judged = (facts: Partial<Pick<Facts, 'proxies' | 'engine' | 'images'>>) =>
    proxies({ proxies: none, engine, images: [], ...facts } as Facts)

  test('none, one, and both are said', () => {
    expect(judged({})).toMatchObject([{ level: 'ok', found: 'none' }])
    expect(judged({ proxies: school })).toMatchObject([{ level: 'ok', found: 'http://proxy:3128 for this shell' }])
    const both = { ...engine, proxy: { http: '', https: 'http://ada:xxxxx@proxy:3128', no: '' } }
    expect(judged({ proxies: school, engine: both, images: missing })).toMatchObject([
      { level: 'ok', found: 'http://proxy:3128 for this shell, http://proxy:3128 for Docker' },
    ])
  })

  test("the lab's own ports must not go through it", () => {
    const [check] = judged({ proxies: { ...school, coversLab: true } })
    expect(check).toMatchObject({ id: 'no-proxy', level: 'warn' })
    expect(check?.next).toContain('NO_PROXY="${NO_PROXY:+$NO_PROXY,}127.0.0.1,localhost"')
    const shell = `NO_PROXY=example.org; ${check?.next}; echo "$no_proxy"`
    expect(execFileSync('sh', ['-c', shell], { encoding: 'utf8' }).trim()).toBe('example.org,127.0.0.1,localhost')
  })

  test('an engine that has to pull, and does not know of it', () => {
    expect(judged({ proxies: school, images: missing })).toMatchObject([
      {
        id: 'proxy-engine',
        level: 'warn',
        found: 'none, and this shell has http://proxy:3128: Docker pulls 2 images by itself, past it',
        next: expect.stringMatching(/\| sudo tee \/etc\/systemd\/system\/docker\.service\.d\/proxy\.conf && /),
      },
    ])
    expect(judged({ proxies: school, images: [{ here: true }] as Facts['images'] })).toMatchObject([{ level: 'ok' }])
  })

  test('a proxy on this machine is on another for an engine in a machine of its own', () => {
    const colima = {
      ...engine,
      product: 'Colima',
      local: false,
      endpoint: 'unix:///Users/a/.colima/default/docker.sock',
    }
    const clash = { ...none, onLoopback: true, address: 'http://127.0.0.1:7890' }
    expect(judged({ proxies: clash, engine: colima as EngineFacts, images: missing })[0]?.next).toContain(
      'HTTPS_PROXY=http://host.lima.internal:7890',
    )
    const wrong = {
      ...engine,
      product: 'Docker Desktop',
      local: false,
      proxy: { http: 'http://127.0.0.1:7890', https: '', no: '' },
    }
    expect(judged({ engine: wrong as EngineFacts })).toMatchObject([
      {
        id: 'proxy-engine',
        found: "http://127.0.0.1:7890, which is the engine's own machine and not this one",
        next: 'Docker Desktop: Settings, Resources, Proxies: http://host.docker.internal:7890',
      },
    ])
    const forwarded = {
      ...engine,
      product: 'Docker Desktop',
      local: false,
      proxy: { http: 'http.docker.internal:3128', https: '', no: '' },
    }
    expect(judged({ engine: forwarded as EngineFacts })).toMatchObject([{ level: 'ok' }])
  })
})

describe('hosts that are asked', () => {
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
  if (!openssl) console.warn('hosts: no openssl here, so no certificate that nobody trusts can be made')

  /** A server with a certificate of its own. */
  async function startHttps(): Promise<string> {
    const folder = newFolder()
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
    const make = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
    execFileSync('openssl', [...make, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' })
    process.env.TEST_CERTIFICATE = cert
    return listen(createHttps({ key: readFileSync(key), cert: readFileSync(cert) }, (_, response) => response.end()))
  }

  test('there was no time to ask, which says nothing of them', async () => {
    expect(await askHosts(['example.org'], 1)).toEqual(new Map([['example.org', { state: 'not asked' }]]))
  })

  test('none, when there is nothing to ask for', async () => {
    expect(await askHosts([])).toEqual(new Map())
    expect(await askHosts(['', ''])).toEqual(new Map())
  })

  test('a name that does not resolve, and one that is silent, at once and within their time', async () => {
    // Takes the call and never says a word
    const silent = await listen(createServer())
    const refused = await listen(createServer())
    servers.pop()?.close()
    const began = performance.now()
    const answers = await askHosts(['no-such-host.invalid', silent, refused, silent], 4000)
    expect(performance.now() - began).toBeLessThan(10_000)
    expect(answers.get('no-such-host.invalid')?.state).toBe('no such name')
    expect(answers.get(silent)).toEqual({ state: 'silent' })
    expect(answers.get(refused)).toEqual({ state: 'silent', code: 'ECONNREFUSED' })
    expect(answers.size).toBe(3)
  })

  test.runIf(openssl)('a certificate that is not trusted, and one that is', async () => {
    const host = await startHttps()
    expect(await askHosts([host], 15_000)).toEqual(
      new Map([[host, { state: 'not trusted', code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }]]),
    )
    process.env.NODE_EXTRA_CA_CERTS = process.env.TEST_CERTIFICATE
    try {
      const answer = (await askHosts([host], 15_000)).get(host)
      expect(answer?.state).toBe('answers')
      expect(Math.abs(answer?.clockAhead ?? 99)).toBeLessThan(10)
    } finally {
      delete process.env.NODE_EXTRA_CA_CERTS
    }
  })

  test('a proxy in between is asked instead, shown without its password; when it refuses, it is what is away', async () => {
    const calls: string[] = []
    const proxy = createHttp()
    proxy.on('connect', (request, socket) => {
      calls.push(request.url!)
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
    })
    const address = await listen(proxy)
    process.env.HTTPS_PROXY = `http://ada:secret@${address}`
    process.env.NO_PROXY = '127.0.0.1'
    const answers = await askHosts(['no-such-host.invalid', '127.0.0.1:1'], 15_000)
    expect(answers.get('no-such-host.invalid')).toMatchObject({ state: 'proxy is silent', proxy: `http://${address}` })
    expect(JSON.stringify([...answers])).not.toContain('secret')
    expect(answers.get('127.0.0.1:1')).toMatchObject({ state: 'silent' })
    expect(calls).toEqual(['no-such-host.invalid:443'])
  })
})
