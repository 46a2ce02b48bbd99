import { type ClusterAccess, kubectl, kubectlAtExit } from './kubectl.ts'

/**
 * Runs `work`, then deletes objects from the cluster: whether `work` succeeds, fails, or is interrupted together with
 * this process.
 * @param objects arguments of `kubectl delete`
 */
export async function withCleanUp<T>(
  access: ClusterAccess,
  objects: readonly string[],
  work: () => Promise<T>,
): Promise<T> {
  const remove = ['delete', ...objects, '--ignore-not-found']
  const onExit = () => kubectlAtExit(access, [...remove, '--now', '--wait=false'])
  process.once('exit', onExit)
  // A signal without a listener ends a process without its `exit` event. `lab up` has a listener of its own.
  const onSignal = () => process.exit(130)
  const signals = (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).filter(signal => process.listenerCount(signal) === 0)
  for (const signal of signals) process.once(signal, onSignal)
  try {
    // An interrupted run may have left them.
    await kubectl(access, remove)
    return await work()
  } finally {
    try {
      await kubectl(access, remove)
    } finally {
      process.off('exit', onExit)
      for (const signal of signals) process.off(signal, onSignal)
    }
  }
}
