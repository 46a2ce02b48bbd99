import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import { judgeNetwork, verifyNetworkPolicies } from '../../../../scripts/verify/security/network-isolation.ts'
import { readLock } from '../../../../shared/lock.ts'
import { parseSettings } from '../../../../shared/settings/parser.ts'
import { newFolder } from '../../support/folders.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

const loki = 'loki.monitoring.svc:3100'
const api = 'kubernetes.default.svc:443'
const kubelet = '172.18.0.2:10250'
const inExistingCluster = {
  'frontend:80': true,
  'redis-leader:6379': false,
  'redis-follower:6379': false,
  [loki]: false,
}
const enforced = { ...inExistingCluster, [api]: false, [kubelet]: false }

it('passes when the visitor can reach only the Guestbook', () => {
  const { result, found } = judgeNetwork(enforced, 'create')
  expect(result).toBe('ok')
  expect(found).toContain(`but not redis-leader:6379, redis-follower:6379, ${loki}, ${api}, ${kubelet}`)
  expect(judgeNetwork(inExistingCluster, 'existing')).toMatchObject({ result: 'ok' })
})

it('is skipped when the network enforces no policies, and says what is reachable and what WSL 2 lacks', () => {
  const open = Object.fromEntries(Object.keys(enforced).map(address => [address, true]))
  const { result, found } = judgeNetwork(open, 'create')
  expect(result).toBe('skip')
  expect(found).toContain(`the visitor can reach redis-leader:6379, redis-follower:6379, ${loki}, ${api}, ${kubelet}`)
  expect(found).toContain('kind#3705')
  const inOthers = judgeNetwork(open, 'existing').found
  expect(inOthers).toContain('CNI plugin')
  expect(inOthers).not.toContain('kind')
})

it.each([api, kubelet])('fails when the network stops every forbidden connection but the one to %s', address => {
  expect(judgeNetwork({ ...enforced, [address]: true }, 'create')).toMatchObject({
    result: 'fail',
    found: `the visitor can reach ${address}`,
  })
})

it('attempts to connect to the API server and to the node from the visitor’s pod, and only in the lab’s own cluster', async () => {
  const folder = newFolder()
  const script = `#!/bin/sh
case "$*" in
  *app=visitor*) echo 172.18.0.2 ;;
  *) printf '%s\\n' "$@" > '${folder}/arguments'; echo '${JSON.stringify(enforced)}' ;;
esac
`
  writeFileSync(join(folder, 'kubectl'), script, { mode: 0o755 })
  writeFileSync(join(folder, 'kubeconfig'), '')
  vi.stubEnv('LAB_DIR', folder)
  const tried = async (cluster: object): Promise<string[]> => {
    const env = { PATH: `${folder}:${process.env.PATH}` }
    const checks = await verifyNetworkPolicies({ settings: parseSettings({ cluster }), lock: readLock(), env })
    expect(checks).toMatchObject([{ result: 'ok' }])
    return readFileSync(join(folder, 'arguments'), 'utf8').trim().split('\n').slice(-6)
  }
  expect(await tried({})).toEqual(Object.keys(enforced))
  expect((await tried({ mode: 'existing', context: 'mine' })).slice(-4)).toEqual(Object.keys(inExistingCluster))
})

it('fails when the visitor can reach one address that is denied', () => {
  expect(judgeNetwork({ ...enforced, [loki]: true }, 'create')).toMatchObject({
    result: 'fail',
    found: `the visitor can reach ${loki}`,
  })
})

it('fails when the visitor cannot reach the Guestbook', () => {
  expect(judgeNetwork({ ...enforced, 'frontend:80': false }, 'create')).toMatchObject({ result: 'fail' })
})
