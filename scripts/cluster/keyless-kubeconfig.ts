import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { keylessKubeconfigFile, kubeconfigFile } from '../../shared/kubeconfig.ts'
import { labDir, projectDir } from '../../shared/paths.ts'
import { stackName } from '../../shared/stack.ts'
import { writePrivateFile } from '../../shared/state-file.ts'

interface Kubeconfig {
  users: { name: string; user: Record<string, unknown> }[]
}

/** Reads the lab's kubeconfig. */
export const readKubeconfig = (): Kubeconfig => parse(readFileSync(kubeconfigFile(), 'utf8')) as Kubeconfig

/**
 * Writes a copy of the lab's kubeconfig whose users have a command instead of a key. The command prints the key from
 * `.lab/kubeconfig` when a client connects.
 */
export function writeKeylessKubeconfig(): void {
  const config = readKubeconfig()
  const exec = {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: process.execPath,
    args: [join(projectDir, 'scripts', 'cluster', 'print-credential.ts')],
    env: [
      { name: 'LAB_DIR', value: labDir() },
      { name: 'LAB_STACK', value: stackName() },
    ],
    interactiveMode: 'Never',
  }
  const users = config.users.map(({ name }) => ({ name, user: { exec } }))
  writePrivateFile(keylessKubeconfigFile(), stringify({ ...config, users }))
}
