import { text } from 'node:stream/consumers'
import type { CrdsSpec } from '../../shared/crds-spec.ts'
import { LabError } from '../../shared/lab-error.ts'
import { readCrds } from '../supplies/chart-crds.ts'
import { kubectl } from './kubectl.ts'

// Pulumi's command resource for the CRDs of a chart runs `node scripts/cluster/apply-crds.ts` with the specification on
// standard input. It creates the CRDs, or brings them in line, and ends when the API server serves them.

try {
  const { cluster, chart, names } = JSON.parse(await text(process.stdin)) as CrdsSpec
  const access = { settings: { cluster: { mode: 'create' as const, name: cluster, context: '' } }, env: {} }
  const options = { input: await readCrds(chart, names) }
  // Server-side: they are larger than the annotation in which kubectl would keep them. Without validation by kubectl,
  // which would first ask for the schema of the whole API.
  await kubectl(access, ['apply', '--server-side', '--force-conflicts', '--validate=false', '-f', '-'], options)
  await kubectl(access, ['wait', '--for=condition=Established', '--timeout=60s', '-f', '-'], options)
} catch (error) {
  if (!(error instanceof LabError)) throw error
  for (const line of error.lines()) process.stderr.write(`${line}\n`)
  process.exitCode = 1
}
