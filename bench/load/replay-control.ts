import { setTimeout as sleep } from 'node:timers/promises'
import { type ClusterAccess, kubectl } from '../../scripts/cluster/kubectl.ts'
import { nodeName } from '../../scripts/cluster/node-container.ts'
import { docker } from '../../scripts/engine/docker.ts'
import { exportFile, namespaces } from '../../shared/names.ts'
import type { ReplayState } from './expected-events.ts'

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

/** Controls the lab's replay: silences it and plays it at other speeds. `restore` returns it to what Pulumi created. */
export class ReplayControl {
  readonly #access: ClusterAccess
  readonly #node: string
  readonly #original: DaemonSet
  /** Pulumi's name for server-side apply. With another name, the next `lab up` would report field conflicts. */
  readonly #manager: string

  static async take(access: ClusterAccess, cluster: string): Promise<ReplayControl> {
    const json = await kubectl(access, [
      '-n',
      namespaces.monitoring,
      'get',
      'ds',
      name,
      '-o',
      'json',
      '--show-managed-fields',
    ])
    return new ReplayControl(access, nodeName(cluster), JSON.parse(json) as DaemonSet)
  }

  private constructor(access: ClusterAccess, node: string, { apiVersion, kind, metadata, spec }: DaemonSet) {
    this.#access = access
    this.#node = node
    const { name, namespace, labels, annotations } = metadata
    this.#original = { apiVersion, kind, metadata: { name, namespace, labels, annotations } as never, spec }
    this.#manager =
      metadata.managedFields.find(({ operation }) => operation === 'Apply')?.manager ?? 'pulumi-kubernetes'
  }

  /** Stops the replay and waits until its Pod is gone. */
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

  /** Starts the replay at a speed. It first writes one round of the recording as history. */
  async play(eventsPerSecond: number): Promise<void> {
    await docker(['exec', this.#node, 'rm', '-f', stateFile])
    const playing = structuredClone(this.#original)
    for (const { env } of playing.spec.template.spec.containers)
      for (const variable of env) if (variable.name === 'EVENTS_PER_SECOND') variable.value = String(eventsPerSecond)
    await this.#apply(playing)
    await this.#waitUntilReady()
  }

  /** Returns the state that the silenced replay left. */
  async state(): Promise<ReplayState> {
    return JSON.parse(await docker(['exec', this.#node, 'cat', stateFile])) as ReplayState
  }

  /** Returns the replay to what it was. */
  async restore(): Promise<void> {
    await this.#apply(this.#original)
    await this.#waitUntilReady()
  }

  async #apply(daemonSet: DaemonSet): Promise<void> {
    await kubectl(
      this.#access,
      ['apply', '--server-side', '--force-conflicts', `--field-manager=${this.#manager}`, '-f', '-'],
      {
        input: JSON.stringify(daemonSet),
      },
    )
  }

  async #waitUntilReady(): Promise<void> {
    // The status is only valid after the controller has seen the change.
    await sleep(500)
    await kubectl(this.#access, ['-n', namespaces.monitoring, 'rollout', 'status', `ds/${name}`, '--timeout=120s'])
  }
}
