import type { Lab } from '../../shared/lab.ts'
import { LabError } from '../../shared/lab-error.ts'
import { readLock } from '../../shared/lock.ts'
import { settingsFromConfig } from '../../shared/settings/parser.ts'
import { selectStack } from '../../shared/stack.ts'
import { checkRecording } from '../../stacks/monitoring/replay-files.ts'
import { chooseEventSource } from '../kernel/event-source.ts'
import { ensureCharts, requiredCharts } from '../supplies/charts.ts'
import { programsOnPath } from '../supplies/tools.ts'
import { withImageDigests } from './image-digests.ts'

/** Programs that the cluster resource runs, with the page that says how to install them. */
const programs = {
  docker: 'https://docs.docker.com/engine/install',
  kind: 'https://kind.sigs.k8s.io/docs/user/quick-start',
  kubectl: 'https://kubernetes.io/docs/tasks/tools',
}

/**
 * Reads settings and lock file, chooses the event source, and prepares what the program needs before it declares a
 * resource: charts, the recording, and the programs on PATH. `lab up` has prepared the same; plain `pulumi up` has not.
 * Turns off source maps in the stack traces of this process.
 * @param config the stack's configuration
 * @param options.stack the stack that Pulumi runs; it selects the folder of the stack's files
 * @param options.preview prepare nothing, so that a preview needs neither Docker nor a cluster. Where the kernel has not
 * been probed yet, it shows a replay.
 * @throws LabError for everything that cannot be prepared.
 */
export async function prepareProgram(
  config: Record<string, string>,
  { stack, preview }: { stack: string; preview: boolean },
): Promise<Lab> {
  // Pulumi's runner looks for source maps for the stack trace of every promise it makes, which takes half a second
  // in all. The program has none, because Node strips its types in place.
  Reflect.deleteProperty(Error, 'prepareStackTrace')
  selectStack(stack)
  const settings = settingsFromConfig(config)
  const lock = readLock()
  const source = await chooseEventSource(settings, { pull: !preview })
  if (source === 'replay') checkRecording()
  if (!preview) {
    if (settings.cluster.mode === 'create') requirePrograms()
    await ensureCharts(lock, requiredCharts(settings))
  }
  const lab: Lab = { settings, lock, source }
  return settings.cluster.imageDigests ? { ...lab, lock: withImageDigests(lab, { preview }) } : lab
}

function requirePrograms(): void {
  for (const [name, page] of Object.entries(programs))
    if (programsOnPath(name).length === 0)
      throw new LabError({
        found: `${name} is not on PATH`,
        next: `eval "$(./lab env)", which provides it, or install it: ${page}`,
      })
}
