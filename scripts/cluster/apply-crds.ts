import { text } from 'node:stream/consumers'
import type { CrdsSpec } from '../../shared/crds-spec.ts'
import { LabError } from '../../shared/lab-error.ts'
import { readCrds } from '../supplies/chart-crds.ts'
import { kubectl } from './kubectl.ts'

// Pulumi's command resource for the CRDs of a chart runs `node scripts/cluster/apply-crds.ts` with the specification on
// standard input. It creates the CRDs, or brings them in line, and ends when the API server serves them.

try {
  const { cluster, chart, names } = JSON.parse(await text(process.stdin)) as CrdsSpec
  // Pulumi starts this process in the lab's environment.
  const access = { settings: { cluster: { mode: 'create' as const, name: cluster, context: '' } }, env: {} }
  const options = { input: await readCrds(chart, names) }
  // Server-side, because the CRDs exceed the size limit of kubectl's annotation. Without validation, because kubectl
  // would first download the schema of the whole API.
  const apply = ['apply', '--server-side', '--force-conflicts', '--validate=false', '-f', '-']
  const wait = ['wait', '--for=condition=Established', '--timeout=45s', '-f', '-']
  for (const args of [apply, wait])
    await kubectl(access, args, options).catch((error: LabError) => {
      // kubectl's own advice would be a command that needs the CRDs on standard input.
      throw new LabError({ found: error.found, next: './lab up' })
    })
} catch (error) {
  if (!(error instanceof LabError)) throw error
  for (const line of error.lines()) process.stderr.write(`${line}\n`)
  process.exitCode = 1
}
