import { existsSync, readFileSync, rmSync } from 'node:fs'
import { delimiter, resolve, sep } from 'node:path'
import { execa } from 'execa'
import { kubeconfigFile } from '../../shared/kubeconfig.ts'
import { LabError } from '../../shared/lab-error.ts'
import { labDir } from '../../shared/paths.ts'
import { setCommand } from '../../shared/settings/config-commands.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { writePrivateFile } from '../../shared/state-file.ts'
import { isMapping, readSingle } from '../../shared/validation/yaml-source.ts'

// Everything that the lab starts gets `.lab/kubeconfig` as KUBECONFIG, also with a cluster of the user's own. It has one
// context, so that a plain `kubectl` of an exercise cannot reach another cluster, whatever the user's current context is.

/** The settings that decide which cluster the lab works on. */
export type ClusterTarget = Pick<Settings['cluster'], 'mode' | 'name' | 'context'>

/** Returns the name of the context of the lab's cluster: kind's, or that of the settings. */
export const contextOf = ({ mode, name, context }: ClusterTarget): string =>
  mode === 'existing' ? context : `kind-${name}`

/** Returns the current context of a kubeconfig; undefined where the file is missing or damaged. */
export function currentContext(file: string): string | undefined {
  if (!existsSync(file)) return undefined
  const { value } = readSingle(readFileSync(file, 'utf8'))
  const context = isMapping(value) ? value['current-context'] : undefined
  return typeof context === 'string' && context !== '' ? context : undefined
}

/**
 * Returns the user's own KUBECONFIG, with absolute paths; empty for kubectl's default. In an environment of the lab,
 * where KUBECONFIG is the lab's, it is in LAB_USER_KUBECONFIG.
 */
export function userKubeconfig(): string {
  const { KUBECONFIG = '', LAB_USER_KUBECONFIG = '' } = process.env
  if (KUBECONFIG.startsWith(labDir() + sep)) return LAB_USER_KUBECONFIG
  return KUBECONFIG.split(delimiter)
    .map(file => file && resolve(file))
    .join(delimiter)
}

/**
 * Makes sure that `.lab/kubeconfig` leads to the cluster of the settings and to no other. With a cluster of the user's
 * own it writes that one context of the user's kubeconfig to it (mode 0600), with its certificates. kind writes the
 * file of the lab's own cluster; a file that leads elsewhere is deleted, and the next `up` writes it again.
 * @param env leads to kubectl
 * @throws LabError when the user's kubeconfig does not have the context.
 */
export async function prepareKubeconfig(cluster: ClusterTarget, env: Readonly<Record<string, string>>): Promise<void> {
  const file = kubeconfigFile()
  if (cluster.mode === 'create') {
    const current = currentContext(file)
    if (current !== undefined && current !== contextOf(cluster)) rmSync(file)
    return
  }
  const args = ['config', 'view', '--minify', '--flatten', '--context', cluster.context]
  const { stdout, stderr, failed, code } = await execa('kubectl', args, {
    env: { ...env, KUBECONFIG: userKubeconfig() },
    stdin: 'ignore',
    timeout: 10_000,
    reject: false,
  })
  if (failed) {
    // The file may lead to the cluster of earlier settings.
    rmSync(file, { force: true })
    throw contextError(cluster.context, code, stderr)
  }
  writePrivateFile(file, `${stdout}\n`)
}

function contextError(context: string, code: string | undefined, stderr = ''): LabError {
  if (code === 'ENOENT') return new LabError({ found: 'kubectl is not on PATH', next: 'eval "$(./lab env)"' })
  if (/cannot locate context/.test(stderr))
    return new LabError({
      found: `Your kubeconfig has no context ${context}`,
      expected: 'a context of your kubeconfig, set as cluster.context (kubectl config get-contexts lists them)',
      next: setCommand('cluster.context', 'NAME'),
    })
  return new LabError({
    found: `Your kubeconfig cannot be read: ${stderr.trim().split('\n').at(-1) || 'kubectl did not respond within 10 s'}`,
    next: 'kubectl config view',
  })
}
