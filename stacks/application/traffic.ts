import * as k8s from '@pulumi/kubernetes'
import * as pulumi from '@pulumi/pulumi'
import type { Lab } from '../../shared/lab.ts'
import { imageRef } from '../../shared/lock.ts'
import { services } from '../../shared/names.ts'
import { restricted } from '../pods.ts'
import { deployment, mounted } from './deployment.ts'

/** k6, visiting the Guestbook at a steady rate with a little noise; what it measures goes to Prometheus. */
export class Traffic extends pulumi.ComponentResource {
  constructor(
    name: string,
    { lab, namespace }: { lab: Lab; namespace: k8s.core.v1.Namespace },
    options: pulumi.ComponentResourceOptions,
  ) {
    super('lab:application:Traffic', name, {}, options)
    const inside = { parent: this, dependsOn: namespace }
    const { traffic } = lab.settings
    const script = mounted(`${name}-script`, 'traffic', ['guestbook.ts'], inside)
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
            // Percentiles over the last minute: k6's own are over its whole life, for which it keeps every value.
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
 * An address with its whole name: a shorter one is asked of the world outside as long as its Service is not there, many a network answers with a
 * machine of its own, and k6 would stay connected to that one for ever. In a cluster of the user's own the end of names is not known.
 */
const inCluster = (address: string, { settings }: Lab): string =>
  settings.cluster.mode === 'create' ? address.replace(/\.svc(?=:|$)/, '.svc.cluster.local.') : address
