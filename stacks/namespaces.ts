import * as k8s from '@pulumi/kubernetes'
import type * as pulumi from '@pulumi/pulumi'
import { namespaces } from './names.ts'

/** The two namespaces that everything is in. */
export function makeNamespaces(options: pulumi.ComponentResourceOptions) {
  const make = (name: string) => new k8s.core.v1.Namespace(name, { metadata: { name } }, inherit(options))
  return { application: make(namespaces.application), monitoring: make(namespaces.monitoring) }
}

// A single resource takes its provider by another name than a component does.
const inherit = ({ providers, ...rest }: pulumi.ComponentResourceOptions): pulumi.CustomResourceOptions => ({
  ...rest,
  provider: (providers as Record<string, pulumi.ProviderResource>).kubernetes,
})
