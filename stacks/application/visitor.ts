import * as k8s from '@pulumi/kubernetes'
import * as pulumi from '@pulumi/pulumi'
import type { Lab } from '../../shared/lab.ts'
import { imageRef } from '../../shared/lock.ts'
import { deployment, mounted } from './deployment.ts'

/** The pod that does what it should not: it reads its service-account token and password files, for the policies to notice. */
export class Visitor extends pulumi.ComponentResource {
  constructor(
    name: string,
    { lab, namespace }: { lab: Lab; namespace: k8s.core.v1.Namespace },
    options: pulumi.ComponentResourceOptions,
  ) {
    super('lab:application:Visitor', name, {}, options)
    const inside = { parent: this, dependsOn: namespace }
    const script = mounted(`${name}-script`, 'visitor', ['visitor.sh'], inside)
    new k8s.apps.v1.Deployment(
      `${name}-pods`,
      deployment(
        name,
        { app: 'visitor' },
        1,
        {
          name: 'shell',
          image: imageRef(lab.lock.images.node),
          command: ['/bin/sh', '/scripts/visitor.sh'],
          // Where a recording is replayed, its visits are in it: a second visitor would only use up the machine.
          env: [{ name: 'VISIT_EVERY', value: lab.source === 'live' ? '60' : '0' }],
          resources: { requests: { cpu: '5m', memory: '8Mi' }, limits: { memory: '64Mi' } },
          // As careless as such pods are: root, so that /etc/shadow can be read unless a policy stops it.
          securityContext: { runAsUser: 0 },
          volumeMounts: [{ name: 'files', mountPath: '/scripts', readOnly: true }],
        },
        // The token is there to be read.
        { ...script, token: true },
      ),
      inside,
    )
    this.registerOutputs({})
  }
}
