import type { CommandResult, LabClient, WorkFile } from '../../scripts/exercise/check/lab-client.ts'
import type { Sample } from '../../scripts/telemetry/query-response.ts'
import type { AgentPolicy } from '../../scripts/tetragon/agent-policies.ts'
import { LabError } from '../../shared/lab-error.ts'

/** The content of a fake lab. Whatever is left out is empty: no series, no objects, no files. */
export interface FakeLab {
  promql?: (query: string, at: Date) => Sample[]
  logql?: (query: string, from: Date, to: Date) => Sample[]
  kubectl?: (args: readonly string[]) => Partial<CommandResult>
  run?: (command: string) => Partial<CommandResult>
  files?: WorkFile[]
  agent?: AgentPolicy[]
}

/** Returns a client of a fake lab with this content, and with an otherwise empty cluster. */
export const fakeLabClient = ({ promql, logql, kubectl, run, files = [], agent = [] }: FakeLab = {}): LabClient => ({
  promql: async (query, at) => promql?.(query, at) ?? [],
  logql: async (query, from, to) => logql?.(query, from, to) ?? [],
  kubectl: async args => ({ exitCode: 0, stdout: '', stderr: '', ...(kubectl?.(args) ?? emptyKubectl(args)) }),
  run: async command => ({ exitCode: 0, stdout: '', stderr: '', ...(run?.(command) ?? notFound) }),
  files: () => files,
  agentPolicies: async () => agent,
})

const notFound: Partial<CommandResult> = { exitCode: 1, stderr: 'Error from server (NotFound): not found' }

/** Fails for a single object, as kubectl does, but not for a list. */
const emptyKubectl = (args: readonly string[]): Partial<CommandResult> =>
  args[1]?.includes('/') ? notFound : { stdout: args.includes('json') ? '{"items":[]}' : '' }

/** Returns a client of a lab that does not respond. */
export function unreachableLabClient(): LabClient {
  const refuse = async (): Promise<never> => {
    throw new LabError({ found: 'Grafana is not responding', expected: 'a running lab', next: './lab status' })
  }
  return { ...fakeLabClient(), promql: refuse, logql: refuse, kubectl: refuse, run: refuse, agentPolicies: refuse }
}
