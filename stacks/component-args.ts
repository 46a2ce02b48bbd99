import type * as k8s from '@pulumi/kubernetes'
import type { Lab } from '../shared/lab.ts'

/** Arguments of a component in one of the lab's namespaces. */
export interface ComponentArgs {
  lab: Lab
  /** Namespace of the component's resources, created before them. */
  namespace: k8s.core.v1.Namespace
}
