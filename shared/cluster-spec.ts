import type { LockedImage } from './lock.ts'

/** Input of `scripts/cluster/resource-command.ts`. Pulumi keeps it in the state, so that destroy has it too. */
export interface ClusterSpec {
  name: string
  /** The kind configuration, as YAML. */
  config: string
  nodeImage: LockedImage
  /** Images to load into the node, in the order in which they are needed. */
  images: LockedImage[]
}
