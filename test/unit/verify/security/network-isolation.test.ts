import { expect, it } from 'vitest'
import { judgeNetwork } from '../../../../scripts/verify/security/network-isolation.ts'

const loki = 'loki.monitoring.svc:3100'
const enforced = { 'frontend:80': true, 'redis-leader:6379': false, 'redis-follower:6379': false, [loki]: false }

it('passes when the visitor can reach only the Guestbook', () => {
  expect(judgeNetwork(enforced)).toMatchObject({ result: 'ok' })
})

it('is skipped when the network enforces no policies', () => {
  const open = Object.fromEntries(Object.keys(enforced).map(address => [address, true]))
  expect(judgeNetwork(open)).toMatchObject({ result: 'skip' })
})

it('fails when the visitor can reach one address that is denied', () => {
  expect(judgeNetwork({ ...enforced, [loki]: true })).toMatchObject({
    result: 'fail',
    found: `the visitor can reach ${loki}`,
  })
})

it('fails when the visitor cannot reach the Guestbook', () => {
  expect(judgeNetwork({ ...enforced, 'frontend:80': false })).toMatchObject({ result: 'fail' })
})
