import * as k8s from '@pulumi/kubernetes'
import * as pulumi from '@pulumi/pulumi'
import type { Lab } from '../shared/lab.ts'
import { readPolicy } from '../shared/policy-file.ts'

/**
 * The TracingPolicies that are loaded with the lab, each from its file in `policies/`.
 * That the API server takes one does not mean that the agent has loaded it: `lab up` asks the agent at its end, and `lab verify` again.
 */
export class Policies extends pulumi.ComponentResource {
  constructor(
    name: string,
    { lab, tetragon, namespace }: { lab: Lab; tetragon: pulumi.Resource; namespace: pulumi.Resource },
    options: pulumi.ComponentResourceOptions,
  ) {
    super('lab:policies:Policies', name, {}, options)
    const { apply } = lab.settings.policies
    for (const file of apply) {
      const { apiVersion, kind, metadata, spec } = readPolicy(file, apply)
      new k8s.apiextensions.CustomResource(
        `${name}-${file}`,
        { apiVersion, kind, metadata, spec },
        { parent: this, dependsOn: [tetragon, namespace] },
      )
    }
    this.registerOutputs({})
  }
}
