/** Input of `scripts/cluster/apply-crds.ts`. */
export interface CrdsSpec {
  /** Name of the lab's cluster. */
  cluster: string
  /** Absolute path of the chart's archive. */
  chart: string
  /** Names of the CRDs without their group, such as `servicemonitors`. */
  names: string[]
}
