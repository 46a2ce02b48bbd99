import { existsSync } from 'node:fs'
import { execa, type Options } from 'execa'
import { LabError } from '../../shared/lab-error.ts'
import { labPath } from '../../shared/paths.ts'
import type { Settings } from '../../shared/settings/schema.ts'

/** What kubectl needs to reach the lab's cluster. A `Context` has it. */
export interface ClusterAccess {
  settings: { cluster: Pick<Settings['cluster'], 'mode' | 'context'> }
  env: Readonly<Record<string, string>>
}

/**
 * Returns the arguments that select the cluster: the lab's own kubeconfig, or the context that the settings name.
 * @throws LabError when no lab is running.
 */
export function kubeArgs({ cluster }: ClusterAccess['settings']): string[] {
  if (cluster.mode === 'existing') return ['--context', cluster.context]
  const kubeconfig = labPath('kubeconfig')
  if (!existsSync(kubeconfig)) throw new LabError({ found: 'No lab is running', next: './lab up' })
  return ['--kubeconfig', kubeconfig]
}

/**
 * Runs `kubectl ARGS` on the lab's cluster, with an empty standard input unless `options.input` is set.
 * @returns its standard output.
 * @throws LabError when no lab is running, or kubectl fails: with kubectl's own message.
 */
export async function kubectl(
  { settings, env }: ClusterAccess,
  args: readonly string[],
  options: Options = {},
): Promise<string> {
  const result = await execa('kubectl', [...kubeArgs(settings), ...args], {
    stdin: options.input === undefined ? 'ignore' : 'pipe',
    ...options,
    // `lab doctor` passes an empty environment, with which kubectl would write its cache to the user's home.
    env: { KUBECACHEDIR: labPath('cache', 'kubectl'), ...env, ...options.env },
    reject: false,
  })
  if (result.failed) throw kubectlError(args, result.code, String(result.stderr ?? '').trim())
  return String(result.stdout)
}

function kubectlError(args: readonly string[], code: string | undefined, stderr: string): LabError {
  if (code === 'ENOENT') return new LabError({ found: 'kubectl is not on PATH', next: 'eval "$(./lab env)"' })
  // The API server answers this for a few seconds after the node has started, until it has loaded RBAC.
  if (/User "kubernetes-admin" cannot /.test(stderr))
    return new LabError({
      found: 'The cluster is still starting: RBAC is not ready yet',
      next: 'run ./lab status again in a few seconds',
    })
  const [command] = args.join(' ').split(' -')
  return new LabError({
    found: `kubectl ${command} failed: ${stderr.split('\n').at(-1)}`,
    next: /refused|no such host|timeout|unreachable/i.test(stderr) ? './lab status' : `./lab kubectl ${command}`,
  })
}

/** Runs `kubectl ARGS -o json` and returns what it printed, parsed. */
export const kubectlJson = async <T>(access: ClusterAccess, args: readonly string[]): Promise<T> =>
  JSON.parse(await kubectl(access, [...args, '-o', 'json'])) as T
