import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as k8s from '@pulumi/kubernetes'
import * as pulumi from '@pulumi/pulumi'
import type { Lab } from '../../shared/lab.ts'
import { imageRef } from '../../shared/lock.ts'
import { exportFile, nodePorts } from '../../shared/names.ts'
import { restrictedRoot, startedWith } from '../pods.ts'
import { checkRecording, recordingFolder } from './recording.ts'

const here = join(import.meta.dirname, 'replay')

/**
 * Plays a recorded run of the real Tetragon where the kernel cannot run it: the same file on the node, the same metrics on the same
 * port, behind a Service of the same name, so that nothing downstream can tell.
 */
export class Replay extends pulumi.ComponentResource {
  constructor(
    name: string,
    { lab, namespace }: { lab: Lab; namespace: k8s.core.v1.Namespace },
    options: pulumi.ComponentResourceOptions,
  ) {
    super('lab:monitoring:Replay', name, {}, options)
    checkRecording()
    const parent = { parent: this }
    const labels = { 'app.kubernetes.io/name': 'tetragon-replay' }
    const where = namespace.metadata.name
    const { replay, exportFile: file } = lab.settings.tetragon
    const data = { 'replay.mjs': readFileSync(join(here, 'replay.mjs'), 'utf8') }
    const program = new k8s.core.v1.ConfigMap(
      name,
      {
        metadata: { name, namespace: where },
        data,
        binaryData: Object.fromEntries(
          ['tetragon.log.gz', 'metrics.jsonl.gz'].map(file => [
            file,
            readFileSync(join(recordingFolder, file)).toString('base64'),
          ]),
        ),
      },
      parent,
    )
    new k8s.apps.v1.DaemonSet(
      `${name}-pods`,
      {
        metadata: { name, namespace: where, labels },
        spec: {
          selector: { matchLabels: labels },
          template: {
            metadata: { labels, annotations: startedWith(data) },
            spec: {
              // Where the agent would be: on the node's own network, its metrics on the node's own port.
              hostNetwork: true,
              automountServiceAccountToken: false,
              tolerations: [{ operator: 'Exists' }],
              containers: [
                {
                  name: 'replay',
                  image: imageRef(lab.lock.images.node),
                  command: ['node', '/replay/replay.mjs'],
                  env: [
                    { name: 'RECORDING_DIR', value: '/replay' },
                    { name: 'EXPORT_FILE', value: `${exportFile.directory}/${exportFile.name}` },
                    { name: 'EXPORT_FILE_MAX_SIZE_MB', value: String(file.maxSizeMB) },
                    { name: 'EXPORT_FILE_MAX_BACKUPS', value: String(file.maxBackups) },
                    { name: 'EVENTS_PER_SECOND', value: String(replay.eventsPerSecond) },
                    { name: 'METRICS_PORT', value: String(nodePorts.tetragon) },
                  ],
                  ports: [{ name: 'metrics', containerPort: nodePorts.tetragon }],
                  readinessProbe: { httpGet: { path: '/healthz', port: 'metrics' }, periodSeconds: 2 },
                  resources: { requests: { cpu: '50m', memory: '96Mi' }, limits: { memory: '256Mi' } },
                  // Root, as the agent is, because the folder on the node belongs to root.
                  securityContext: restrictedRoot,
                  volumeMounts: [
                    { name: 'program', mountPath: '/replay', readOnly: true },
                    { name: 'export', mountPath: exportFile.directory },
                  ],
                },
              ],
              volumes: [
                { name: 'program', configMap: { name: program.metadata.name } },
                { name: 'export', hostPath: { path: exportFile.directory, type: 'DirectoryOrCreate' } },
              ],
            },
          },
        },
      },
      parent,
    )
    new k8s.core.v1.Service(
      `${name}-metrics`,
      {
        metadata: { name: 'tetragon', namespace: where, labels },
        spec: { selector: labels, ports: [{ name: 'metrics', port: 2112, targetPort: 'metrics' }] },
      },
      parent,
    )
    this.registerOutputs({})
  }
}
