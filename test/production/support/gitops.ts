import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments, stringify } from 'yaml'
import { kubectl, kubectlJson, waitFor } from './cluster.ts'
import { labOutput } from './production-lab.ts'
import { runFolder } from './run.ts'

interface Job {
  metadata: { name: string; namespace: string }
  spec: { template: { spec: { containers: { env: { name: string; value?: string }[] }[] } } }
  status: { conditions?: { type: string; status: string }[] }
}

/** Runs the Job that checks the agents for one policy, as a sync does. @returns how it ended, `Complete` or `Failed`. */
export async function outcomeOfCheck(policy: string): Promise<string> {
  const folder = join(runFolder, 'policies')
  rmSync(folder, { recursive: true, force: true })
  await labOutput(['policy', 'kustomize', folder, '--check', policy])
  // Only the check: the policies of the cluster are the lab's.
  const objects = parseAllDocuments(await kubectl(['kustomize', folder]))
    .map(document => document.toJS() as Job & { kind: string })
    .filter(({ kind }) => kind === 'Job' || kind === 'ConfigMap')
  // Two scrape intervals and the time to load a policy.
  for (const { env } of objects.flatMap(({ kind, spec }) => (kind === 'Job' ? spec.template.spec.containers : [])))
    for (const variable of env) if (variable.name === 'TIMEOUT_SECONDS') variable.value = '50'
  const manifest = objects.map(object => stringify(object)).join('---\n')
  await kubectl(['apply', '-f', '-'], manifest)
  const job = ['-n', 'monitoring', 'get', 'job', 'check-agents']
  const ended = async () =>
    (await kubectlJson<Job>(job)).status.conditions?.find(
      ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
    )?.type
  await waitFor('the check of the agents', async () => ((await ended()) ? undefined : 'it is running'), 180)
  const outcome = await ended()
  console.log(await kubectl(['-n', 'monitoring', 'logs', 'job/check-agents']))
  await kubectl(['delete', '-f', '-', '--wait'], manifest)
  return outcome!
}
