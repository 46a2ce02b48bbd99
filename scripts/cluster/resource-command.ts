import { text } from 'node:stream/consumers'
import type { ClusterSpec } from '../../shared/cluster-spec.ts'
import { providerKubeconfig } from '../../shared/kubeconfig.ts'
import { LabError } from '../../shared/lab-error.ts'
import { writeKeylessKubeconfig } from './keyless-kubeconfig.ts'
import { deleteCluster, ensureCluster } from './kind.ts'

// Pulumi's command resource for the cluster runs `node scripts/cluster/resource-command.ts ensure|delete` with the
// specification on standard input. Pulumi shows standard error as progress, and stores standard output: the name of the
// node.

const log = (line: string): void => void process.stderr.write(`${line}\n`)

// Pulumi starts this process in the lab's environment.
const env = {}

try {
  const [action] = process.argv.slice(2)
  const spec = JSON.parse(await text(process.stdin)) as ClusterSpec
  if (action === 'delete') {
    await deleteCluster(spec.name, env, log)
  } else {
    const node = await ensureCluster(spec, env, log)
    if (providerKubeconfig() !== '') writeKeylessKubeconfig()
    process.stdout.write(`${node}\n`)
  }
} catch (error) {
  if (!(error instanceof LabError)) throw error
  for (const line of error.lines()) log(line)
  // Exits at once: when kind has failed, the image copy would keep waiting for the node.
  process.exit(1)
}
