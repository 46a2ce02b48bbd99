import { addressesOf } from '../../shared/addresses.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import type { ClusterAccess } from '../cluster/kubectl.ts'
import { describeTrouble, isReady, readWorkloads } from '../cluster/workloads.ts'
import { checksOf, type VerifyCheck } from './verify-check.ts'

/** Checks that all pods are ready. */
export async function verifyPods(access: ClusterAccess): Promise<VerifyCheck[]> {
  const { ok, fail } = checksOf('pods')
  const workloads = await readWorkloads(access)
  if (workloads.length === 0) return [fail('workloads', { found: 'none', next: './lab up' })]
  return workloads.map(({ namespace, name, ready, wanted, trouble }) => {
    const title = `${namespace}/${name}`
    const found = `${ready} of ${wanted} ready`
    if (isReady({ ready, wanted })) return ok(title, found)
    return fail(title, {
      found: trouble ? `${found}: ${describeTrouble(trouble)}` : found,
      expected: 'all of them',
      next: `./lab kubectl -n ${namespace} describe pods`,
    })
  })
}

/** A page of each part that responds with 200 when the part is ready. */
const readyPaths: Record<string, string> = {
  guestbook: '/guestbook.php?cmd=get&key=messages',
  grafana: '/api/health',
  prometheus: '/-/ready',
  loki: '/ready',
  tetragon: '',
}

/** Checks that every address of the lab responds. */
export async function verifyAddresses(settings: Settings): Promise<VerifyCheck[]> {
  const { ok, fail, skip } = checksOf('addresses')
  if (settings.cluster.mode === 'existing') return [skip('ports', 'the lab maps no ports: cluster.mode is existing')]
  const checks = Object.entries(addressesOf(settings)).map(async ([name, address]) => {
    const url = address.replace('localhost', '127.0.0.1') + readyPaths[name]
    const status = await fetch(url, { signal: AbortSignal.timeout(5000) }).then(
      response => String(response.status),
      (error: Error) => error.message,
    )
    return status === '200'
      ? ok(name, url)
      : fail(name, { found: `${url}: ${status}`, expected: '200', next: `./lab logs ${name}` })
  })
  return Promise.all(checks)
}
