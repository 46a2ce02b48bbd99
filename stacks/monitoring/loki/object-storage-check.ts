import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as k8s from '@pulumi/kubernetes'
import * as pulumi from '@pulumi/pulumi'
import { imageRef } from '../../../shared/lock.ts'
import { namespaces } from '../../../shared/names.ts'
import type { Settings } from '../../../shared/settings/schema.ts'
import type { ComponentArgs } from '../../component-args.ts'
import { checksumAnnotations, restricted } from '../../pods.ts'

const programFolder = join(import.meta.dirname, 'object-storage')
const mountPath = '/check'

/** Returns the environment variables with the credentials, which only the kubelet reads from the Secret. */
export const credentialsEnv = ({ loki }: Settings) =>
  ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'].map(key => ({
    name: key,
    valueFrom: { secretKeyRef: { name: loki.objectStorage.credentialsSecret, key } },
  }))

/**
 * A Job that puts, lists, gets and deletes an object with Loki's credentials. Loki itself starts without a bucket, and
 * loses what it cannot store when its volume is full.
 */
export class ObjectStorageCheck extends pulumi.ComponentResource {
  constructor(name: string, { lab }: ComponentArgs, options: pulumi.ComponentResourceOptions) {
    super('lab:monitoring:ObjectStorageCheck', name, {}, options)
    const { settings } = lab
    const { endpoint, bucket, region, pathStyle, credentialsSecret } = settings.loki.objectStorage
    const metadata = { name: 'loki-object-storage-check', namespace: namespaces.monitoring }
    const labels = { 'app.kubernetes.io/name': metadata.name }
    const program = readProgram()
    const files = new k8s.core.v1.ConfigMap(`${name}-program`, { metadata, data: program }, { parent: this })
    const plain = {
      ENDPOINT: endpoint,
      BUCKET: bucket,
      REGION: region,
      PATH_STYLE: `${pathStyle}`,
      SECRET: credentialsSecret,
    }
    new k8s.batch.v1.Job(
      `${name}-check`,
      {
        // A check that failed runs again in the next `up`.
        metadata: { ...metadata, labels, annotations: { 'pulumi.com/replaceUnready': 'true' } },
        spec: {
          // The program itself asks again while the server does not answer.
          backoffLimit: 0,
          activeDeadlineSeconds: 180,
          template: {
            metadata: { labels, annotations: checksumAnnotations(program) },
            spec: {
              restartPolicy: 'Never',
              automountServiceAccountToken: false,
              enableServiceLinks: false,
              containers: [
                {
                  name: 'check',
                  image: imageRef(lab.lock.images.node),
                  command: ['node', `${mountPath}/main.ts`],
                  env: [
                    ...Object.entries(plain).map(([key, value]) => ({ name: key, value })),
                    ...credentialsEnv(settings),
                  ],
                  resources: { requests: { cpu: '20m', memory: '64Mi' }, limits: { memory: '192Mi' } },
                  securityContext: { ...restricted, runAsUser: 1000 },
                  volumeMounts: [{ name: 'program', mountPath, readOnly: true }],
                },
              ],
              volumes: [{ name: 'program', configMap: { name: files.metadata.name } }],
            },
          },
        },
      },
      { parent: this, customTimeouts: { create: '5m', update: '5m' } },
    )
    this.registerOutputs({})
  }
}

/** Returns the modules of the program, and the package.json that tells Node to read ES modules. */
const readProgram = (): Record<string, string> => ({
  'package.json': JSON.stringify({ type: 'module' }),
  ...Object.fromEntries(
    readdirSync(programFolder).map(file => [file, readFileSync(join(programFolder, file), 'utf8')]),
  ),
})
