import { existsSync, mkdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { kubeconfigFile } from '../../shared/kubeconfig.ts'
import { type Lock, type ToolName, toolNames } from '../../shared/lock.ts'
import { labDir, labPath } from '../../shared/paths.ts'
import { storedSecret } from '../../shared/secrets.ts'
import { stackName, stackPath } from '../../shared/stack.ts'
import { ensureTools } from '../supplies/tools.ts'
import { userKubeconfig } from './kubeconfig.ts'

/** Returns the folder of Pulumi's state. */
export const stateDir = (): string => stackPath('state')

/** The programs with which everything of the lab works, except `tetra`, which `lab tetra` downloads on first use. */
export const allPrograms: readonly ToolName[] = toolNames.filter(name => name !== 'tetra' && name !== 'node')

/**
 * Returns the environment in which plain `pulumi`, `kubectl` and `kind` work on this lab: the pinned programs first on
 * PATH, the state and its passphrase, and the lab's own kubeconfig. It keeps these programs away from the user's Pulumi
 * login, Helm repositories and kubeconfig.
 *
 * Downloads the programs that are missing.
 * @param programs those that the caller uses
 * @throws LabError when a program cannot be downloaded.
 */
export async function labEnvironment(
  lock: Lock,
  programs: readonly ToolName[] = allPrograms,
): Promise<Record<string, string>> {
  const paths = await ensureTools(lock, programs)
  if (paths.pulumi) preparePulumi(lock, paths)
  const folders = [
    dirname(process.execPath),
    ...(['pulumi', 'kind', 'kubectl'] as const).flatMap(name => (paths[name] ? dirname(paths[name]) : [])),
  ]
  return {
    PATH: [...new Set([...folders, ...(process.env.PATH ?? '').split(':')])].join(':'),
    PULUMI_BACKEND_URL: `file://${stateDir()}`,
    PULUMI_HOME: labPath('pulumi'),
    PULUMI_STACK: stackName(),
    PULUMI_CONFIG_PASSPHRASE_FILE: stackPath('passphrase'),
    PULUMI_SKIP_UPDATE_CHECK: 'true',
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: 'true',
    // Pulumi would run a plugin that it finds on PATH without checking its version.
    PULUMI_IGNORE_AMBIENT_PLUGINS: 'true',
    PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS: 'true',
    NODE_COMPILE_CACHE: join(labDir(), 'cache', 'compile'),
    KUBECONFIG: kubeconfigFile(),
    LAB_USER_KUBECONFIG: userKubeconfig(),
    // By default kubectl caches each cluster's API in the user's home.
    KUBECACHEDIR: labPath('cache', 'kubectl'),
    // The lab looks for its node in Docker, also when the user's own clusters run in Podman.
    KIND_EXPERIMENTAL_PROVIDER: 'docker',
    LAB_DIR: labDir(),
    LAB_STACK: stackName(),
    ...(process.env.LAB_LOCK ? { LAB_LOCK: lock.file } : {}),
  }
}

/** Creates the folder of the state and the passphrase, and puts the plugins where Pulumi looks for them. */
function preparePulumi(lock: Lock, paths: Partial<Record<ToolName, string>>): void {
  for (const plugin of ['command', 'kubernetes'] as const) {
    const name = `pulumi-resource-${plugin}` as const
    if (paths[name]) installPlugin(plugin, lock.tools[name].version, paths[name])
  }
  mkdirSync(stateDir(), { recursive: true, mode: 0o700 })
  storedSecret('passphrase')
}

/** Links a plugin into the folder in which Pulumi looks for that version. */
function installPlugin(name: string, version: string, program: string): void {
  const link = labPath('pulumi', 'plugins', `resource-${name}-v${version}`, `pulumi-resource-${name}`)
  if (existsSync(link) && readlinkSync(link) === program) return
  rmSync(link, { force: true })
  symlinkSync(program, link)
}
