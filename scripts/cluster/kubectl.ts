import { existsSync } from 'node:fs'
import { execaSync } from 'execa'
import { kubeconfigFile } from '../../shared/kubeconfig.ts'
import { LabError } from '../../shared/lab-error.ts'
import { labPath } from '../../shared/paths.ts'
import { type LimitedOptions, type LimitedResult, runLimited } from '../../shared/run-limited.ts'
import { type ClusterTarget, contextOf } from '../context/kubeconfig.ts'

/** Tells kubectl how to reach the lab's cluster. A `Context` has it. */
export interface ClusterAccess {
  settings: { cluster: ClusterTarget }
  env: Readonly<Record<string, string>>
}

/**
 * Returns the arguments that select the cluster: the lab's kubeconfig, and by its name the only context in it.
 * @throws LabError when no lab is running.
 */
export function kubeArgs({ cluster }: ClusterAccess['settings']): string[] {
  const kubeconfig = kubeconfigFile()
  if (cluster.mode === 'create' && !existsSync(kubeconfig))
    throw new LabError({ found: 'No lab is running', next: './lab up' })
  return ['--kubeconfig', kubeconfig, '--context', contextOf(cluster)]
}

/** How to run kubectl. */
export interface KubectlOptions extends Pick<LimitedOptions, 'stdin' | 'input'> {
  /** When to end kubectl: a cluster or an agent that hangs must not hang the lab. One minute by default. */
  timeoutMs?: number
}

// `lab doctor` passes an empty environment, with which kubectl would write its cache to the user's home.
const environment = (env: ClusterAccess['env']): Record<string, string> => ({
  KUBECACHEDIR: labPath('cache', 'kubectl'),
  ...env,
  KUBECONFIG: kubeconfigFile(),
})

/**
 * Runs `kubectl ARGS` on the lab's cluster, with an empty standard input unless the options say otherwise.
 * @returns the result, also when kubectl fails.
 * @throws LabError when no lab is running.
 */
export const runKubectl = (
  { settings, env }: ClusterAccess,
  args: readonly string[],
  { timeoutMs = 60_000, ...options }: KubectlOptions = {},
): Promise<LimitedResult> =>
  runLimited('kubectl', [...kubeArgs(settings), ...args], { ...options, timeoutMs, env: environment(env) })

/**
 * Runs `kubectl ARGS` as `runKubectl`.
 * @returns its standard output.
 * @throws LabError when no lab is running, or kubectl fails: with kubectl's own message.
 */
export async function kubectl(
  access: ClusterAccess,
  args: readonly string[],
  options: KubectlOptions = {},
): Promise<string> {
  const result = await runKubectl(access, args, options)
  if (result.failed) throw kubectlError(args, result)
  return result.stdout
}

/** Runs `kubectl ARGS` while this process exits, and returns when it has ended, at the latest after 20 s. */
export function kubectlAtExit({ settings, env }: ClusterAccess, args: readonly string[]): void {
  execaSync('kubectl', [...kubeArgs(settings), ...args], {
    env: environment(env),
    stdio: 'ignore',
    timeout: 20_000,
    reject: false,
  })
}

function kubectlError(args: readonly string[], { code, stderr, timedOut, seconds }: LimitedResult): LabError {
  if (code === 'ENOENT') return new LabError({ found: 'kubectl is not on PATH', next: 'eval "$(./lab env)"' })
  const [command] = args.join(' ').split(' -')
  if (timedOut)
    return new LabError({ found: `kubectl ${command} did not respond within ${seconds} s`, next: './lab status' })
  // The API server answers this for a few seconds after the node has started, until it has loaded RBAC.
  if (/User "kubernetes-admin" cannot /.test(stderr))
    return new LabError({
      found: 'The cluster is still starting: RBAC is not ready yet',
      next: 'run ./lab status again in a few seconds',
    })
  return new LabError({
    found: `kubectl ${command} failed: ${stderr.trim().split('\n').at(-1)}`,
    // A connection that broke off is not repaired by the same command.
    next:
      command!.startsWith('exec') || /refused|no such host|timeout|unreachable/i.test(stderr)
        ? './lab status'
        : `./lab kubectl ${command}`,
  })
}

/** Runs `kubectl ARGS -o json` and returns what it printed, parsed. */
export const kubectlJson = async <T>(
  access: ClusterAccess,
  args: readonly string[],
  options: KubectlOptions = {},
): Promise<T> => JSON.parse(await kubectl(access, [...args, '-o', 'json'], options)) as T
