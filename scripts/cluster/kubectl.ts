import { existsSync } from 'node:fs'
import { execa, type Options } from 'execa'
import { LabError } from '../../shared/lab-error.ts'
import { labPath } from '../../shared/paths.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { readSettings } from '../../shared/settings/stack-file.ts'

/** How `kubectl` is told which cluster: the lab's own kubeconfig, or the context that the settings name. */
export function kubeArgs(settings: Settings = readSettings()): string[] {
  if (settings.cluster.mode === 'existing') return ['--context', settings.cluster.context]
  const kubeconfig = labPath('kubeconfig')
  if (!existsSync(kubeconfig))
    throw new LabError({ found: 'no lab is running', expected: 'one that was stood up', next: './lab up' })
  return ['--kubeconfig', kubeconfig]
}

/**
 * Output of `kubectl ARGS` on the lab's cluster, with nothing on its standard input.
 * @param cluster the cluster, as kubectl is told it; by default the one of the settings
 * @throws LabError when no lab is running, or kubectl fails: with kubectl's own words.
 */
export async function kubectl(
  args: readonly string[],
  options: Options = {},
  cluster: readonly string[] = kubeArgs(),
): Promise<string> {
  const result = await execa('kubectl', [...cluster, ...args], {
    stdin: options.input === undefined ? 'ignore' : 'pipe',
    ...options,
    // Also for a command that has not put the lab's own programs and folders first: nothing goes into the user's own.
    env: { KUBECACHEDIR: labPath('cache', 'kubectl'), ...options.env },
    reject: false,
  })
  if (!result.failed) return String(result.stdout)
  if (result.code === 'ENOENT')
    throw new LabError({
      found: 'no kubectl on PATH',
      expected: 'the one that lab.lock.yaml pins',
      next: 'eval "$(./lab env)"',
    })
  const says = String(result.stderr ?? '').trim()
  // So it answers for some seconds after a start of the node, before it has read who may do what.
  if (/User "kubernetes-admin" cannot /.test(says))
    throw new LabError({
      found: 'the cluster is starting: it does not know its own administrator yet',
      expected: 'an answer from the cluster',
      next: './lab status, again in some seconds',
    })
  const [asked] = args.join(' ').split(' -')
  throw new LabError({
    found: `kubectl ${asked}: ${says.split('\n').at(-1)}`,
    expected: 'an answer from the cluster',
    next: /refused|no such host|timeout|unreachable/i.test(says) ? './lab status' : `./lab kubectl ${asked}`,
  })
}

/** The same, parsed: `kubectl ARGS -o json`. */
export const kubectlJson = async <T>(args: readonly string[]): Promise<T> =>
  JSON.parse(await kubectl([...args, '-o', 'json'])) as T
