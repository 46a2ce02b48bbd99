import * as k8s from '@pulumi/kubernetes'
import * as pulumi from '@pulumi/pulumi'
import type { Lab } from '../../shared/lab.ts'
import { imageRef } from '../../shared/lock.ts'
import { exportFile, nodePorts } from '../../shared/names.ts'
import type { ComponentArgs } from '../component-args.ts'
import { checksumAnnotations, notAwaited, restrictedRoot } from '../pods.ts'
import { checkRecording, entryPoint, readProgram, readRecordingFiles } from './replay-files.ts'

/** Where the Pod mounts the program and the recording. */
const mountPath = '/replay'

/**
 * Plays a recorded run of the real Tetragon where the kernel cannot run it. It writes the same file on the node and
 * serves the same metrics on the same port, behind a Service of the same name, so nothing downstream has to change.
 */
export class Replay extends pulumi.ComponentResource {
  constructor(name: string, { lab, namespace }: ComponentArgs, options: pulumi.ComponentResourceOptions) {
    super('lab:monitoring:Replay', name, {}, options)
    checkRecording()
    const parent = { parent: this }
    const labels = { 'app.kubernetes.io/name': 'tetragon-replay' }
    const metadata = { name, namespace: namespace.metadata.name }
    const { replay, exportFile: file } = lab.settings.tetragon
    const program = readProgram()
    const files = new k8s.core.v1.ConfigMap(name, { metadata, data: program, binaryData: readRecordingFiles() }, parent)
    new k8s.apps.v1.DaemonSet(
      `${name}-pods`,
      {
        metadata: { ...metadata, labels },
        spec: {
          selector: { matchLabels: labels },
          template: {
            metadata: { labels, annotations: checksumAnnotations(program) },
            spec: {
              // Like the agent, it uses the node's network and serves metrics on the node's port.
              hostNetwork: true,
              automountServiceAccountToken: false,
              tolerations: [{ operator: 'Exists' }],
              containers: [
                {
                  name: 'replay',
                  image: imageRef(lab.lock.images.node),
                  command: ['node', `${mountPath}/${entryPoint}`],
                  env: [
                    { name: 'RECORDING_DIR', value: mountPath },
                    { name: 'EXPORT_FILE', value: `${exportFile.directory}/${exportFile.name}` },
                    { name: 'EXPORT_FILE_MAX_SIZE_MB', value: String(file.maxSizeMB) },
                    { name: 'EXPORT_FILE_MAX_BACKUPS', value: String(file.maxBackups) },
                    { name: 'EVENTS_PER_SECOND', value: String(replay.eventsPerSecond) },
                    { name: 'METRICS_PORT', value: String(nodePorts.tetragon) },
                    ...nodeName(lab),
                  ],
                  ports: [{ name: 'metrics', containerPort: nodePorts.tetragon }],
                  readinessProbe: { httpGet: { path: '/healthz', port: 'metrics' }, periodSeconds: 2 },
                  resources: { requests: { cpu: '50m', memory: '96Mi' }, limits: { memory: '256Mi' } },
                  // Like the agent, it runs as root, because root owns the folder on the node.
                  securityContext: restrictedRoot,
                  volumeMounts: [
                    { name: 'program', mountPath, readOnly: true },
                    { name: 'export', mountPath: exportFile.directory },
                  ],
                },
              ],
              volumes: [
                { name: 'program', configMap: { name: files.metadata.name } },
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
        metadata: { ...metadata, name: 'tetragon', labels, annotations: notAwaited },
        spec: { selector: labels, ports: [{ name: 'metrics', port: 2112, targetPort: 'metrics' }] },
      },
      parent,
    )
    this.registerOutputs({})
  }
}

/** The recording names the node of a KinD cluster. Several nodes would otherwise play the same events. */
const nodeName = ({ settings }: Lab) =>
  settings.cluster.mode === 'create'
    ? []
    : [{ name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }]
