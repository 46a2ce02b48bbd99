import { text } from 'node:stream/consumers'
import type { ClusterSpec } from '../../shared/cluster-spec.ts'
import { LabError } from '../../shared/lab-error.ts'
import { deleteCluster, ensureCluster } from './kind.ts'

// What the cluster's command resource runs: `node scripts/cluster/resource-command.ts ensure|delete`, with the specification on standard input. Progress goes
// to standard error, which Pulumi shows; on standard output there is only the name of the node, which it keeps.

const say = (line: string): void => void process.stderr.write(`${line}\n`)

// Pulumi has started this process with the lab's environment already.
const env = {}

try {
  const [action] = process.argv.slice(2)
  const spec = JSON.parse(await text(process.stdin)) as ClusterSpec
  if (action === 'delete') {
    await deleteCluster(spec.name, env, say)
  } else {
    const node = await ensureCluster(spec, env, say)
    process.stdout.write(`${node}\n`)
  }
} catch (error) {
  if (!(error instanceof LabError)) throw error
  for (const line of error.lines()) say(line)
  // At once: where kind has failed, the images would still wait for a node that does not come.
  process.exit(1)
}
