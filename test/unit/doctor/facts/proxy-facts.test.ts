import { expect, test } from 'vitest'
import { isLoopbackProxy, readProxies, withoutPassword } from '../../../../scripts/doctor/facts/proxy-facts.ts'

test.each<[NodeJS.ProcessEnv, ReturnType<typeof readProxies>]>([
  [{}, { onLoopback: false, coversLabPorts: false }],
  [{ NO_PROXY: 'example.org' }, { onLoopback: false, coversLabPorts: false }],
  [{ HTTPS_PROXY: 'http://proxy:3128' }, { address: 'http://proxy:3128', onLoopback: false, coversLabPorts: true }],
  [
    { http_proxy: 'http://ada:secret@proxy:3128/', no_proxy: 'localhost, 127.0.0.1' },
    { address: 'http://proxy:3128', onLoopback: false, coversLabPorts: false },
  ],
  [
    { HTTPS_PROXY: 'http://127.0.0.1:7890', NO_PROXY: 'localhost' },
    { address: 'http://127.0.0.1:7890', onLoopback: true, coversLabPorts: true },
  ],
  [
    { HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: 'localhost,127.0.0.0/8' },
    { address: 'http://proxy:3128', onLoopback: false, coversLabPorts: false },
  ],
  [
    { HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: '*' },
    { address: 'http://proxy:3128', onLoopback: false, coversLabPorts: false },
  ],
  [
    // The launcher's own NO_PROXY does not count.
    { HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: '127.0.0.1,localhost', LAB_USER_NO_PROXY: '' },
    { address: 'http://proxy:3128', onLoopback: false, coversLabPorts: true },
  ],
])('reads the proxies from %j', (env, facts) => expect(readProxies(env)).toEqual(facts))

test('recognizes the addresses of this machine', () => {
  expect(
    ['http://localhost:1', '127.0.0.1:3128', 'http://a:b@127.0.1.1/', 'http://[::1]:8'].map(isLoopbackProxy),
  ).toEqual(Array(4).fill(true))
  expect(['http://proxy:1', 'http.docker.internal:3128', 'http://127.example.org'].map(isLoopbackProxy)).toEqual(
    Array(3).fill(false),
  )
})

test('removes user name and password from an address', () => {
  expect(withoutPassword('http://ada:se@cret@proxy:3128/')).toBe('http://proxy:3128')
  expect(withoutPassword('proxy:3128')).toBe('proxy:3128')
})
