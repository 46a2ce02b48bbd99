import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { expect, it } from 'vitest'
import { isLoopback, parseListeners } from '../../../../scripts/verify/security/listening-sockets.ts'

it('reads the listening sockets, and no other, from the tables of the kernel', () => {
  const header = '  sl  local_address rem_address   st tx_queue rx_queue\n'
  const line = (local: string, state = '0A') => `   0: ${local} 00000000:0000 ${state} 00000000:00000000\n`
  const table =
    header +
    line('0100007F:1F90') +
    line('00000000:0BB8') +
    line('020012AC:1920') +
    line('0100007F:9999', '01') +
    header.trimStart() +
    line('00000000000000000000000001000000:0C1C') +
    line('00000000000000000000000000000000:280A') +
    line('0000000000000000FFFF00000100007F:2382')
  expect(parseListeners(table)).toEqual([
    { address: '127.0.0.1', port: 8080 },
    { address: '0.0.0.0', port: 3000 },
    { address: '172.18.0.2', port: 6432 },
    { address: '::1', port: 3100 },
    { address: '::', port: 10250 },
    { address: '127.0.0.1', port: 9090 },
  ])
})

it.runIf(process.platform === 'linux')('finds a socket of this machine', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  try {
    expect(parseListeners(readFileSync('/proc/net/tcp', 'utf8'))).toContainEqual({ address: '127.0.0.1', port })
  } finally {
    server.close()
  }
})

it.each([
  ['127.0.0.1', true],
  ['127.1.2.3', true],
  ['::1', true],
  ['0.0.0.0', false],
  ['::', false],
  ['172.18.0.2', false],
  ['fd00::1', false],
])('isLoopback(%j) is %s', (address, expected) => {
  expect(isLoopback(address)).toBe(expected)
})
