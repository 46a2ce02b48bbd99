import { setTimeout as sleep } from 'node:timers/promises'
import { LabError } from '../../shared/lab-error.ts'
import { timeLimit } from '../../shared/time-limit.ts'
import type { ClusterAccess } from '../cluster/kubectl.ts'
import { findStuckWorkloads, stuckError } from '../cluster/stuck-workloads.ts'
import { isReady, readWorkloads, type Workload } from '../cluster/workloads.ts'

type Report = (workloads: Workload[]) => void

/** Reports the workloads every 3 s until the signal is aborted, as soon as there is a cluster that responds. */
export async function watchWorkloads(
  access: ClusterAccess,
  report: Report,
  { signal, intervalMs = 3_000 }: { signal: AbortSignal; intervalMs?: number },
): Promise<void> {
  while (!signal.aborted) {
    await sleep(intervalMs, undefined, { signal }).catch(() => {})
    if (signal.aborted) return
    const workloads = await readWorkloads(access).catch(emptyUnlessBug)
    if (workloads.length > 0 && !signal.aborted) report(workloads)
  }
}

function emptyUnlessBug(error: unknown): Workload[] {
  if (error instanceof LabError) return []
  throw error
}

/**
 * Waits until every workload is ready. Helm considers a DaemonSet with one node ready before its pod runs, so a release
 * that is complete may still have none.
 * @param options.timeoutMs 300000 by default.
 * @returns the workloads.
 * @throws LabError naming the pod that is stuck, and why.
 */
export async function waitForWorkloads(
  access: ClusterAccess,
  report: Report,
  {
    signal,
    timeoutMs = 300_000,
    intervalMs = 1_000,
  }: { signal?: AbortSignal; timeoutMs?: number; intervalMs?: number },
): Promise<Workload[]> {
  const startedAt = performance.now()
  for (;;) {
    let problem: LabError | undefined
    try {
      const workloads = await readWorkloads(access)
      report(workloads)
      if (workloads.every(isReady) || signal?.aborted) return workloads
    } catch (error) {
      // The cluster may be too busy to respond.
      if (!(error instanceof LabError)) throw error
      problem = error
    }
    const waitedMs = performance.now() - startedAt
    if (waitedMs > timeLimit(timeoutMs)) {
      if (problem) throw problem
      const [first, ...others] = await findStuckWorkloads(access)
      if (first) throw stuckError([first, ...others], `Waited ${Math.round(waitedMs / 1000)} s for the pods`)
    }
    await sleep(intervalMs)
  }
}
