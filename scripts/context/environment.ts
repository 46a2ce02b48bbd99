import { existsSync, mkdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Lock, type ToolName, toolNames } from '../../shared/lock.ts'
import { stackName } from '../../shared/names.ts'
import { labDir, labPath } from '../../shared/paths.ts'
import { rememberedSecret } from '../../shared/secrets.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { ensureTools } from '../supplies/tools.ts'

/** Where Pulumi keeps the stack's state. */
export const stateDir = (): string => labPath('state')

/** Programs that standing up a lab takes; `tetra` is fetched when it is asked for. */
const needed = toolNames.filter(name => name !== 'tetra' && name !== 'node')

/**
 * What plain `pulumi`, `kubectl` and `kind` need to work on this lab: the pinned programs first on PATH, the state and its passphrase, and the lab's
 * own kubeconfig. The user's Pulumi login, Helm repositories and kubeconfig are neither read nor written; with a cluster of the user's own, which is
 * found by it, the kubeconfig is read.
 *
 * Programs that are missing are fetched.
 * @param mode `cluster.mode` of the settings
 * @throws LabError when one cannot be had.
 */
export async function labEnvironment(
  lock: Lock,
  mode: Settings['cluster']['mode'],
  onBytes?: (name: ToolName, done: number, total?: number) => void,
): Promise<Record<string, string>> {
  const programs = await ensureTools(lock, needed, onBytes)
  for (const plugin of ['command', 'kubernetes'] as const) {
    const name = `pulumi-resource-${plugin}` as const
    installPlugin(plugin, lock.tools[name].version, programs[name]!)
  }
  mkdirSync(stateDir(), { recursive: true, mode: 0o700 })
  rememberedSecret('passphrase')
  const own = [
    dirname(process.execPath),
    ...(['pulumi', 'kind', 'kubectl'] as const).map(name => dirname(programs[name]!)),
  ]
  return {
    PATH: [...new Set([...own, ...(process.env.PATH ?? '').split(':')])].join(':'),
    PULUMI_BACKEND_URL: `file://${stateDir()}`,
    PULUMI_HOME: pulumiHome(),
    PULUMI_STACK: stackName,
    PULUMI_CONFIG_PASSPHRASE_FILE: labPath('passphrase'),
    PULUMI_SKIP_UPDATE_CHECK: 'true',
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: 'true',
    // Those in the lab's own folder are the pinned ones; one that happens to be on PATH would be taken without a look at its version.
    PULUMI_IGNORE_AMBIENT_PLUGINS: 'true',
    PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS: 'true',
    NODE_COMPILE_CACHE: join(labDir(), 'cache', 'compile'),
    ...(mode === 'create' ? { KUBECONFIG: labPath('kubeconfig') } : {}),
    // It would remember each lab's API in the user's own folder.
    KUBECACHEDIR: labPath('cache', 'kubectl'),
    // Whatever the user's own clusters run in: the lab looks for its node, its images and its volumes in Docker
    KIND_EXPERIMENTAL_PROVIDER: 'docker',
    LAB_DIR: labDir(),
    ...(process.env.LAB_LOCK ? { LAB_LOCK: lock.file } : {}),
  }
}

const pulumiHome = (): string => labPath('pulumi')

/** Puts a plugin where Pulumi looks for one of that version. */
function installPlugin(name: string, version: string, program: string): void {
  const at = labPath('pulumi', 'plugins', `resource-${name}-v${version}`, `pulumi-resource-${name}`)
  if (existsSync(at) && readlinkSync(at) === program) return
  rmSync(at, { force: true })
  symlinkSync(program, at)
}
