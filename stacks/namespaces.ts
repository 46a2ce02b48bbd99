import * as k8s from '@pulumi/kubernetes'
import type * as pulumi from '@pulumi/pulumi'
import { namespaces } from '../shared/names.ts'
import { enforcedLevels } from '../shared/pod-security.ts'

/** The two namespaces that everything is in. */
export function makeNamespaces(options: pulumi.ComponentResourceOptions) {
  const make = (name: keyof typeof enforcedLevels) =>
    new k8s.core.v1.Namespace(name, { metadata: { name, labels: podSecurity(enforcedLevels[name]) } }, inherit(options))
  return { application: make(namespaces.application), monitoring: make(namespaces.monitoring) }
}

/** What the API server refuses, and what it only warns of: whoever makes a pod that could do with less is told so. */
const podSecurity = (level: 'baseline' | 'privileged') => ({
  'pod-security.kubernetes.io/enforce': level,
  'pod-security.kubernetes.io/warn': 'restricted',
  'pod-security.kubernetes.io/audit': 'restricted',
})

// A single resource takes its provider by another name than a component does.
const inherit = ({ providers, ...rest }: pulumi.ComponentResourceOptions): pulumi.CustomResourceOptions => ({
  ...rest,
  provider: (providers as Record<string, pulumi.ProviderResource>).kubernetes,
})
