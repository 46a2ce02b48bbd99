import { setTimeout as sleep } from 'node:timers/promises'
import { nodeName } from '../../scripts/cluster/node-container.ts'
import { type ClusterAccess, kubectl } from '../../scripts/cluster/kubectl.ts'
import { docker } from '../../scripts/engine/docker.ts'
import { exportFile, namespaces } from '../../shared/names.ts'
import type { Stopped } from './played.ts'

const name = 'tetragon-replay'
const stateFile = `${exportFile.directory}/replay-state.json`

interface DaemonSet {
  apiVersion: string
  kind: string
  metadata: Record<string, unknown> & {
    managedFields: { manager: string; operation: string; subresource?: string }[]
  }
  spec: {
    template: {
      spec: {
        nodeSelector?: Record<string, string>
        containers: { env: { name: string; value: string }[] }[]
      }
    }
  }
}

/** The lab's replay, silenced and played at other speeds for a while; `restore` gives it back as Pulumi made it. */
export class ReplayControl {
  readonly #access: ClusterAccess
  readonly #node: string
  readonly #original: DaemonSet
  /** Changes are applied in Pulumi's own name: under another, the next `lab up` would find its fields taken by somebody else. */
  readonly #manager: string

  static async take(access: ClusterAccess, cluster: string): Promise<ReplayControl> {
    const shown = await kubectl(access, [
      '-n',
      namespaces.monitoring,
      'get',
      'ds',
      name,
      '-o',
      'json',
      '--show-managed-fields',
    ])
    return new ReplayControl(access, nodeName(cluster), JSON.parse(shown) as DaemonSet)
  }

  private constructor(access: ClusterAccess, node: string, { apiVersion, kind, metadata, spec }: DaemonSet) {
    this.#access = access
    this.#node = node
    const { name, namespace, labels, annotations } = metadata
    this.#original = { apiVersion, kind, metadata: { name, namespace, labels, annotations } as never, spec }
    this.#manager =
      metadata.managedFields.find(({ operation }) => operation === 'Apply')?.manager ?? 'pulumi-kubernetes'
  }

  /** Stops it, and waits until it has gone. */
  async silence(): Promise<void> {
    const silent = structuredClone(this.#original)
    silent.spec.template.spec.nodeSelector = { 'tetragon-lab/replay': 'silent' }
    await this.#apply(silent)
    const selector = `app.kubernetes.io/name=${name}`
    await kubectl(this.#access, [
      '-n',
      namespaces.monitoring,
      'wait',
      '--for=delete',
      'pod',
      '-l',
      selector,
      '--timeout=90s',
    ])
  }

  /** Begins anew at a speed, with one round of the recording at once and then on at that pace. */
  async play(eventsPerSecond: number): Promise<void> {
    await docker(['exec', this.#node, 'rm', '-f', stateFile])
    const playing = structuredClone(this.#original)
    for (const { env } of playing.spec.template.spec.containers)
      for (const variable of env) if (variable.name === 'EVENTS_PER_SECOND') variable.value = String(eventsPerSecond)
    await this.#apply(playing)
    await this.#ready()
  }

  /** What it has noted down, once it was silenced. */
  async stopped(): Promise<Stopped> {
    return JSON.parse(await docker(['exec', this.#node, 'cat', stateFile])) as Stopped
  }

  async restore(): Promise<void> {
    await this.#apply(this.#original)
    await this.#ready()
  }

  async #apply(wanted: DaemonSet): Promise<void> {
    await kubectl(
      this.#access,
      ['apply', '--server-side', '--force-conflicts', `--field-manager=${this.#manager}`, '-f', '-'],
      {
        input: JSON.stringify(wanted),
      },
    )
  }

  async #ready(): Promise<void> {
    // The controller has to have seen the change before its status means anything.
    await sleep(500)
    await kubectl(this.#access, ['-n', namespaces.monitoring, 'rollout', 'status', `ds/${name}`, '--timeout=120s'])
  }
}
