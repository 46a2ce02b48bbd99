import * as k8s from '@pulumi/kubernetes'
import * as pulumi from '@pulumi/pulumi'
import type { Lab } from '../shared/lab.ts'
import { readLabPolicy } from '../shared/policy-file.ts'

/** Arguments of the Policies component. */
export interface PoliciesArgs {
  lab: Lab
  /** The release that installs the CRDs. */
  tetragon: pulumi.Resource
  /** Namespace of the namespaced policies. */
  namespace: pulumi.Resource
}

/**
 * The TracingPolicies of the lab, each from its file in `policies/`. The API server also accepts policies that the
 * agent cannot load, so `lab up` and `lab verify` check in the agent.
 */
export class Policies extends pulumi.ComponentResource {
  constructor(name: string, { lab, tetragon, namespace }: PoliciesArgs, options: pulumi.ComponentResourceOptions) {
    super('lab:policies:Policies', name, {}, options)
    const { apply } = lab.settings.policies
    for (const file of apply) {
      const { apiVersion, kind, metadata, spec } = readLabPolicy(file, apply)
      new k8s.apiextensions.CustomResource(
        `${name}-${file}`,
        { apiVersion, kind, metadata, spec },
        { parent: this, dependsOn: [tetragon, namespace] },
      )
    }
    this.registerOutputs({})
  }
}
