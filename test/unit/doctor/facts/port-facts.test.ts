import { type AddressInfo, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { portState } from '../../../../scripts/doctor/facts/port-facts.ts'

test('a port is in use while a server listens on it, and free afterwards', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  expect(await portState(port)).toBe('in use')
  await new Promise(resolve => server.close(resolve))
  expect(await portState(port)).toBe('free')
})
