import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import { LabError } from '../../shared/lab-error.ts'
import { readSettings } from '../../shared/settings/stack-file.ts'
import { describeLab, downLab, policiesToLose } from '../lab/down.ts'
import { colors } from '../terminal/colors.ts'
import { note, print, printJson } from '../terminal/output.ts'
import type { PolicyKey } from '../tetragon/agent-policies.ts'

export function register(program: Command): void {
  program
    .command('down')
    .description('Remove the lab: the cluster, its state, and everything in Docker except images')
    .option('-y, --yes', 'Do not ask for confirmation')
    .option('--json', 'Print the result as JSON')
    .addHelpText('after', '\nExample:\n  ./lab down --yes')
    .action(async ({ yes = false, json = false }: { yes?: boolean; json?: boolean }) => {
      const parts = await describeLab(readSettings())
      const lost = parts.length > 0 ? await policiesToLose() : []
      if (lost.length > 0) note(lossNote(lost))
      if (!yes && process.stdin.isTTY && parts.length > 0) await confirm(parts)
      const result = await downLab()
      if (json) printJson(result)
      else
        print(
          result.removed
            ? colors.green(`The lab is removed, ${result.seconds.toFixed(1)} s`)
            : 'There was no lab to remove.',
        )
      if (!json && result.left.length > 0) print(['It leaves:', ...result.left.map(line => `  ${line}`)].join('\n'))
    })
}

/** Says which of the user's own policies are deleted, and how to keep them. */
const lossNote = (policies: PolicyKey[]): string =>
  [
    `This also deletes the TracingPolicies that you applied yourself: ${policies.map(qualifiedName).join(', ')}.`,
    'To keep a copy: ./lab kubectl get tracingpolicies,tracingpoliciesnamespaced -A -o yaml > policies.yaml',
  ].join('\n')

const qualifiedName = ({ name, namespace }: PolicyKey): string => (namespace ? `${namespace}/${name}` : name)

async function confirm(parts: string[]): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await terminal.question(`This removes ${parts.join(' and ')}. Continue? [y/N] `)
  terminal.close()
  if (!/^y(es)?$/i.test(answer.trim()))
    throw new LabError({ found: 'Cancelled. Nothing was removed', next: './lab down --yes' })
}
