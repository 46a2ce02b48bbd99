import { existsSync, mkdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Lock, type ToolName, toolNames } from '../../shared/lock.ts'
import { stackName } from '../../shared/names.ts'
import { labDir, labPath } from '../../shared/paths.ts'
import { storedSecret } from '../../shared/secrets.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { ensureTools } from '../supplies/tools.ts'

/** Returns the folder of Pulumi's state. */
export const stateDir = (): string => labPath('state')

/** `lab tetra` downloads `tetra` on first use, and the launcher downloads `node`. */
const requiredTools = toolNames.filter(name => name !== 'tetra' && name !== 'node')

/**
 * Returns the environment in which plain `pulumi`, `kubectl` and `kind` work on this lab: the pinned programs first on
 * PATH, the state and its passphrase, and the lab's own kubeconfig. It keeps these programs away from the user's Pulumi
 * login and Helm repositories, and from the user's kubeconfig unless `cluster.mode` is `existing`.
 *
 * Downloads the programs that are missing.
 * @param mode `cluster.mode` of the settings
 * @throws LabError when a program cannot be downloaded.
 */
export async function labEnvironment(
  lock: Lock,
  mode: Settings['cluster']['mode'],
  onBytes?: (name: ToolName, done: number, total?: number) => void,
): Promise<Record<string, string>> {
  const programs = await ensureTools(lock, requiredTools, onBytes)
  for (const plugin of ['command', 'kubernetes'] as const) {
    const name = `pulumi-resource-${plugin}` as const
    installPlugin(plugin, lock.tools[name].version, programs[name]!)
  }
  mkdirSync(stateDir(), { recursive: true, mode: 0o700 })
  storedSecret('passphrase')
  const folders = [
    dirname(process.execPath),
    ...(['pulumi', 'kind', 'kubectl'] as const).map(name => dirname(programs[name]!)),
  ]
  return {
    PATH: [...new Set([...folders, ...(process.env.PATH ?? '').split(':')])].join(':'),
    PULUMI_BACKEND_URL: `file://${stateDir()}`,
    PULUMI_HOME: labPath('pulumi'),
    PULUMI_STACK: stackName,
    PULUMI_CONFIG_PASSPHRASE_FILE: labPath('passphrase'),
    PULUMI_SKIP_UPDATE_CHECK: 'true',
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: 'true',
    // Pulumi would run a plugin that it finds on PATH without checking its version.
    PULUMI_IGNORE_AMBIENT_PLUGINS: 'true',
    PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS: 'true',
    NODE_COMPILE_CACHE: join(labDir(), 'cache', 'compile'),
    ...(mode === 'create' ? { KUBECONFIG: labPath('kubeconfig') } : {}),
    // By default kubectl caches each cluster's API in the user's home.
    KUBECACHEDIR: labPath('cache', 'kubectl'),
    // The lab looks for its node in Docker, also when the user's own clusters run in Podman.
    KIND_EXPERIMENTAL_PROVIDER: 'docker',
    LAB_DIR: labDir(),
    ...(process.env.LAB_LOCK ? { LAB_LOCK: lock.file } : {}),
  }
}

/** Links a plugin into the folder in which Pulumi looks for that version. */
function installPlugin(name: string, version: string, program: string): void {
  const link = labPath('pulumi', 'plugins', `resource-${name}-v${version}`, `pulumi-resource-${name}`)
  if (existsSync(link) && readlinkSync(link) === program) return
  rmSync(link, { force: true })
  symlinkSync(program, link)
}
