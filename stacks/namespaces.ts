import * as k8s from '@pulumi/kubernetes'
import type * as pulumi from '@pulumi/pulumi'
import { namespaces } from '../shared/names.ts'
import { enforcedLevels } from '../shared/pod-security.ts'

/** Creates the two namespaces of the lab. */
export function createNamespaces(options: pulumi.ComponentResourceOptions) {
  const create = (name: keyof typeof enforcedLevels) =>
    new k8s.core.v1.Namespace(
      name,
      { metadata: { name, labels: podSecurity(enforcedLevels[name]) } },
      toResourceOptions(options),
    )
  return { application: create(namespaces.application), monitoring: create(namespaces.monitoring) }
}

/** Returns labels that make the API server reject Pods above a level, and warn about those that could do with less. */
const podSecurity = (level: 'baseline' | 'privileged') => ({
  'pod-security.kubernetes.io/enforce': level,
  'pod-security.kubernetes.io/warn': 'restricted',
  'pod-security.kubernetes.io/audit': 'restricted',
})

// A resource has `provider` where a component has `providers`.
const toResourceOptions = ({ providers, ...rest }: pulumi.ComponentResourceOptions): pulumi.CustomResourceOptions => ({
  ...rest,
  provider: (providers as Record<string, pulumi.ProviderResource>).kubernetes,
})
