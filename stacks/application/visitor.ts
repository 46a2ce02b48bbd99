import * as k8s from '@pulumi/kubernetes'
import * as pulumi from '@pulumi/pulumi'
import { imageRef } from '../../shared/lock.ts'
import type { ComponentArgs } from '../component-args.ts'
import { deployment, mountFiles } from './deployment.ts'

/** A Pod that misbehaves: it reads its service account token and password files, so that the policies report it. */
export class Visitor extends pulumi.ComponentResource {
  constructor(name: string, { lab, namespace }: ComponentArgs, options: pulumi.ComponentResourceOptions) {
    super('lab:application:Visitor', name, {}, options)
    const inside = { parent: this, dependsOn: namespace }
    const script = mountFiles(`${name}-script`, 'visitor', ['visitor.sh'], inside)
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
          // The recording already contains visits, so with a replay this Pod makes none.
          env: [{ name: 'VISIT_EVERY', value: lab.source === 'live' ? '60' : '0' }],
          resources: { requests: { cpu: '5m', memory: '8Mi' }, limits: { memory: '64Mi' } },
          // Root, so that it can read /etc/shadow unless a policy blocks it.
          securityContext: { runAsUser: 0 },
          volumeMounts: [{ name: 'files', mountPath: '/scripts', readOnly: true }],
        },
        // A token for the script to read.
        { ...script, token: true },
      ),
      inside,
    )
    this.registerOutputs({})
  }
}
