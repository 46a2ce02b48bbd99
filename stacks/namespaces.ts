import * as k8s from '@pulumi/kubernetes'
import type * as pulumi from '@pulumi/pulumi'
import type { Lab } from '../shared/lab.ts'
import { namespaces } from '../shared/names.ts'
import { enforcedLevels } from '../shared/pod-security.ts'

/** The namespaces of the lab. */
export interface Namespaces {
  /** Absent without the Guestbook. */
  application?: k8s.core.v1.Namespace
  monitoring: k8s.core.v1.Namespace
}

/** Creates the namespaces of the lab, or refers to those that the user has made. */
export function createNamespaces({ settings }: Lab, options: pulumi.ComponentResourceOptions): Namespaces {
  const inside = toResourceOptions(options)
  const create = (name: keyof typeof enforcedLevels) =>
    settings.cluster.namespaces === 'existing'
      ? k8s.core.v1.Namespace.get(name, name, inside)
      : new k8s.core.v1.Namespace(name, { metadata: { name, labels: podSecurity(enforcedLevels[name]) } }, inside)
  return {
    ...(settings.guestbook.enabled && { application: create(namespaces.application) }),
    monitoring: create(namespaces.monitoring),
  }
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
