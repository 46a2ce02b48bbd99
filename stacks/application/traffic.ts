import * as k8s from '@pulumi/kubernetes'
import * as pulumi from '@pulumi/pulumi'
import type { Lab } from '../../shared/lab.ts'
import { imageRef } from '../../shared/lock.ts'
import { services } from '../../shared/names.ts'
import type { ComponentArgs } from '../component-args.ts'
import { restricted } from '../pods.ts'
import { deployment, mountFiles } from './deployment.ts'

/** k6, which visits the Guestbook at a slightly varying rate and pushes its metrics to Prometheus. */
export class Traffic extends pulumi.ComponentResource {
  constructor(name: string, { lab, namespace }: ComponentArgs, options: pulumi.ComponentResourceOptions) {
    super('lab:application:Traffic', name, {}, options)
    const inside = { parent: this, dependsOn: namespace }
    const { traffic } = lab.settings
    const script = mountFiles(`${name}-script`, 'traffic', ['guestbook.ts'], inside)
    new k8s.apps.v1.Deployment(
      `${name}-pods`,
      deployment(
        name,
        { app: 'traffic' },
        1,
        {
          name: 'k6',
          image: imageRef(lab.lock.images.k6),
          args: [
            'run',
            '--out',
            'experimental-prometheus-rw',
            '--summary-mode=disabled',
            '--quiet',
            '--no-thresholds',
            '--tag',
            'testid=guestbook',
            '/scripts/guestbook.ts',
          ],
          env: [
            { name: 'TARGET_URL', value: inCluster(services.guestbook, lab) },
            { name: 'RATE', value: String(traffic.rate) },
            { name: 'NOISE', value: String(traffic.noise) },
            { name: 'K6_PROMETHEUS_RW_SERVER_URL', value: `${inCluster(services.prometheus, lab)}/api/v1/write` },
            // Allow percentiles over the last minute. k6's own cover its whole run, for which it keeps every value in
            // memory.
            { name: 'K6_FEATURES', value: 'native-histograms' },
            { name: 'K6_PROMETHEUS_RW_STALE_MARKERS', value: 'true' },
            { name: 'K6_NO_USAGE_REPORT', value: 'true' },
          ],
          resources: { requests: { cpu: '20m', memory: '64Mi' }, limits: { memory: '256Mi' } },
          securityContext: { ...restricted, runAsUser: 12345 },
          volumeMounts: [{ name: 'files', mountPath: '/scripts', readOnly: true }],
        },
        script,
      ),
      inside,
    )
    this.registerOutputs({})
  }
}

/**
 * Completes an address to a fully qualified name. While its Service does not exist, a shorter name is resolved outside
 * the cluster. Some networks answer with one of their own machines, to which k6 would stay connected. An existing
 * cluster may have another domain, so its addresses stay as they are.
 */
const inCluster = (address: string, { settings }: Lab): string =>
  settings.cluster.mode === 'create' ? address.replace(/\.svc(?=:|$)/, '.svc.cluster.local.') : address
