import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { LabError } from '../../../shared/lab-error.ts'
import { namespaces, releases } from '../../../shared/names.ts'
import { kubeArgs, kubectl } from '../../cluster/kubectl.ts'
import type { Context } from '../../context/context.ts'
import { ownAddresses } from './class-overview.ts'

const service = `svc/${releases.prometheus}-prometheus`
const inMonitoring = ['-n', namespaces.monitoring]

/** Returns this machine's address for students: its only one. */
export function addressForStudents(): string {
  const addresses = ownAddresses()
  if (addresses.length === 1) return addresses[0]!
  throw new LabError({
    found:
      addresses.length === 0
        ? 'This machine has no network address'
        : `This machine has several addresses: ${addresses.join(', ')}`,
    expected: 'the address that students can reach',
    next: `./lab class open --address ${addresses[0] ?? 'ADDRESS'}`,
  })
}

/** Fails if the lab's Prometheus is not in the cluster. */
export const requirePrometheus = (context: Context): Promise<unknown> =>
  kubectl(context, [...inMonitoring, 'get', service])

/**
 * Forwards a port of this machine to the lab's Prometheus until Ctrl-C. Prometheus receives the progress, so students
 * need no account and the lab needs no server.
 */
export async function forwardPrometheus({ settings, env }: Context, address: string, port: number): Promise<void> {
  const args = [
    ...kubeArgs(settings),
    ...inMonitoring,
    ...['port-forward', '--address', address, service, `${port}:9090`],
  ]
  for (let failures = 0; failures < 5; ) {
    const startedAt = Date.now()
    const { stderr, signal } = await execa('kubectl', args, {
      env,
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'pipe',
      reject: false,
    })
    if (signal === 'SIGINT' || signal === 'SIGTERM') return
    if (/bind|unable to listen/.test(stderr))
      throw new LabError({
        found: `Port ${port} of ${address} cannot be opened: ${stderr.trim().split('\n').at(-1)}`,
        expected: 'an address of this machine and a free port',
        next: `./lab class open --address ${address} --port ${port + 1}`,
      })
    // A forward ends with its pod, and with some broken connections. Only one that ends at once is a failure.
    failures = Date.now() - startedAt > 10_000 ? 0 : failures + 1
    await sleep(1000)
  }
  throw new LabError({ found: 'Prometheus in the cluster cannot be reached', next: './lab status' })
}
