import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { proxyChecks } from '../../../../scripts/doctor/checks/proxy-checks.ts'
import type { DoctorFacts } from '../../../../scripts/doctor/facts/gather-facts.ts'
import type { EngineFacts } from '../../../../scripts/engine/engine-facts.ts'

const engine = {
  product: 'Docker Engine',
  endpoint: 'unix:///var/run/docker.sock',
  local: true,
  wsl: false,
  proxy: { http: '', https: '', no: '' },
} as EngineFacts
const none = { onLoopback: false, coversLabPorts: false }
const school = { ...none, address: 'http://proxy:3128' }
const missing = [{ present: false }, { present: false }] as DoctorFacts['images']
const checksFor = (facts: Partial<Pick<DoctorFacts, 'proxies' | 'engine' | 'images'>>) =>
  proxyChecks({ proxies: none, engine, images: [], ...facts } as DoctorFacts)

test('lists the proxies of the shell and of the engine', () => {
  expect(checksFor({})).toMatchObject([{ level: 'ok', found: 'none' }])
  expect(checksFor({ proxies: school })).toMatchObject([{ level: 'ok', found: 'http://proxy:3128 for this shell' }])
  const both = { ...engine, proxy: { http: '', https: 'http://ada:xxxxx@proxy:3128', no: '' } }
  expect(checksFor({ proxies: school, engine: both, images: missing })).toMatchObject([
    { level: 'ok', found: 'http://proxy:3128 for this shell, http://proxy:3128 for Docker' },
  ])
})

test('warns of a proxy for the lab’s own ports, with a command that keeps NO_PROXY', () => {
  const [check] = checksFor({ proxies: { ...school, coversLabPorts: true } })
  expect(check).toMatchObject({ id: 'no-proxy', level: 'warn' })
  expect(check?.next).toContain('NO_PROXY="${NO_PROXY:+$NO_PROXY,}127.0.0.1,localhost"')
  const shell = `NO_PROXY=example.org; ${check?.next}; echo "$no_proxy"`
  expect(execFileSync('sh', ['-c', shell], { encoding: 'utf8' }).trim()).toBe('example.org,127.0.0.1,localhost')
})

test('warns of an engine that must pull images without the proxy of the shell', () => {
  expect(checksFor({ proxies: school, images: missing })).toMatchObject([
    {
      id: 'proxy-engine',
      level: 'warn',
      found: 'Docker has no proxy for the 2 images to pull, but this shell uses http://proxy:3128',
      next: expect.stringMatching(/\| sudo tee \/etc\/systemd\/system\/docker\.service\.d\/proxy\.conf && /),
    },
  ])
  expect(checksFor({ proxies: school, images: [{ present: true }] as DoctorFacts['images'] })).toMatchObject([
    { level: 'ok' },
  ])
})

test('translates a proxy on this machine for an engine in a VM', () => {
  const colima = {
    ...engine,
    product: 'Colima',
    local: false,
    endpoint: 'unix:///Users/a/.colima/default/docker.sock',
  }
  const onThisMachine = { ...none, onLoopback: true, address: 'http://127.0.0.1:7890' }
  expect(checksFor({ proxies: onThisMachine, engine: colima as EngineFacts, images: missing })[0]?.next).toContain(
    'HTTPS_PROXY=http://host.lima.internal:7890',
  )
  const loopback = {
    ...engine,
    product: 'Docker Desktop',
    local: false,
    proxy: { http: 'http://127.0.0.1:7890', https: '', no: '' },
  }
  expect(checksFor({ engine: loopback as EngineFacts })).toMatchObject([
    {
      id: 'proxy-engine',
      found: 'Docker uses the proxy http://127.0.0.1:7890, which is an address of its own VM and not of this machine',
      next: 'Docker Desktop: Settings, Resources, Proxies: http://host.docker.internal:7890',
    },
  ])
  const forwarded = {
    ...engine,
    product: 'Docker Desktop',
    local: false,
    proxy: { http: 'http.docker.internal:3128', https: '', no: '' },
  }
  expect(checksFor({ engine: forwarded as EngineFacts })).toMatchObject([{ level: 'ok' }])
})
