import type { AgentPolicy, LabClient, Ran, Sample, WorkFile } from '../../scripts/exercise/check/lab-client.ts'
import { LabError } from '../../shared/lab-error.ts'

/** What a fake lab answers. What is left out is empty: no series, no objects, no files. */
export interface Answers {
  promql?: (query: string, at: Date) => Sample[]
  logql?: (query: string, from: Date, to: Date) => Sample[]
  kubectl?: (args: readonly string[]) => Partial<Ran>
  run?: (command: string) => Partial<Ran>
  files?: WorkFile[]
  agent?: AgentPolicy[]
}

/** A fake of the lab that checks look at: it answers what it was given, and otherwise as a cluster without anything in it. */
export const fakeWorld = ({ promql, logql, kubectl, run, files = [], agent = [] }: Answers = {}): LabClient => ({
  promql: async (query, at) => promql?.(query, at) ?? [],
  logql: async (query, from, to) => logql?.(query, from, to) ?? [],
  kubectl: async args => ({ exitCode: 0, stdout: '', stderr: '', ...(kubectl?.(args) ?? emptyKubectl(args)) }),
  run: async command => ({ exitCode: 0, stdout: '', stderr: '', ...(run?.(command) ?? notFound) }),
  files: () => files,
  agentPolicies: async () => agent,
})

const notFound: Partial<Ran> = { exitCode: 1, stderr: 'Error from server (NotFound): not found' }

/** As kubectl: a single object that is not there is an error, an empty list is not. */
const emptyKubectl = (args: readonly string[]): Partial<Ran> =>
  args[1]?.includes('/') ? notFound : { stdout: args.includes('json') ? '{"items":[]}' : '' }

/** A fake lab in which nothing answers. */
export const deadWorld = (): LabClient => {
  const refuse = async (): Promise<never> => {
    throw new LabError({ found: 'Grafana does not answer', expected: 'a lab that is up', next: './lab status' })
  }
  return { ...fakeWorld(), promql: refuse, logql: refuse, kubectl: refuse, run: refuse, agentPolicies: refuse }
}
