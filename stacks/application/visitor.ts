import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as k8s from '@pulumi/kubernetes'
import * as pulumi from '@pulumi/pulumi'
import type { Lab } from '../lab.ts'
import { imageRef } from '../lock.ts'
import { namespaces } from '../names.ts'
import { deployment } from './guestbook.ts'

/** The pod that does what it should not: it reads its service-account token and password files, for the policies to notice. */
export class Visitor extends pulumi.ComponentResource {
  constructor(
    name: string,
    { lab, namespace }: { lab: Lab; namespace: k8s.core.v1.Namespace },
    options: pulumi.ComponentResourceOptions,
  ) {
    super('lab:application:Visitor', name, {}, options)
    const inside = { parent: this, dependsOn: namespace }
    const files = { 'visitor.sh': readFileSync(join(import.meta.dirname, 'visitor', 'visitor.sh'), 'utf8') }
    const script = new k8s.core.v1.ConfigMap(
      `${name}-script`,
      { metadata: { name, namespace: namespaces.application }, data: files },
      inside,
    )
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
          volumeMounts: [{ name: 'script', mountPath: '/scripts', readOnly: true }],
        },
        { volumes: [{ name: 'script', configMap: { name: script.metadata.name } }], files },
      ),
      inside,
    )
    this.registerOutputs({})
  }
}
