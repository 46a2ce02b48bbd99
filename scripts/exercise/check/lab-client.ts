import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { LabError } from '../../../shared/lab-error.ts'
import { projectDir } from '../../../shared/paths.ts'
import { runLimited } from '../../../shared/run-limited.ts'
import { kubeArgs } from '../../cluster/kubectl.ts'
import { loadRunningLab } from '../../context/context.ts'
import { GrafanaClient } from '../../telemetry/grafana-client.ts'
import { isLogQuery, type Sample } from '../../telemetry/query-response.ts'
import { type AgentPolicy, listAgents, readPoliciesOf } from '../../tetragon/agent-policies.ts'

/** The result of a program that a check runs. */
export interface CommandResult {
  exitCode: number
  stdout: string
  stderr: string
}

/** A file that the student wrote. */
export interface WorkFile {
  /** Path within the student's folder. */
  name: string
  text: string
}

/** Everything that checks read. A method throws a LabError when the lab does not respond. */
export interface LabClient {
  /** Evaluates PromQL at a point in time. */
  promql(query: string, at: Date): Promise<Sample[]>
  /**
   * Evaluates a LogQL metric query at `to`. For a log query, counts the lines between `from` and `to` by stream, up to
   * 500.
   */
  logql(query: string, from: Date, to: Date): Promise<Sample[]>
  kubectl(args: readonly string[]): Promise<CommandResult>
  /** Runs shell commands in the project's folder. */
  run(command: string, options: { timeout: number; work: string }): Promise<CommandResult>
  /** Returns the files that the student wrote. */
  files(work: string): WorkFile[]
  agentPolicies(): Promise<AgentPolicy[]>
}

const maxLogLines = 500
const kubectlTimeoutMs = 20_000

/** Returns a client for the lab on this machine. @throws LabError when no lab is running. */
export async function connectLabClient(): Promise<LabClient> {
  const context = await loadRunningLab()
  const { settings, env } = context
  const cluster = kubeArgs(settings)
  const grafana = new GrafanaClient(settings)
  return {
    ...telemetryClient(grafana),
    kubectl: async args =>
      requireCluster(await runCommand('kubectl', [...cluster, ...args], { timeout: kubectlTimeoutMs, env })),
    run: async (command, { timeout, work }) =>
      requireCluster(
        await runCommand('bash', ['-c', command], { timeout, env: { ...env, WORK: work }, cwd: projectDir }),
      ),
    files: readWorkFiles,
    agentPolicies: async () => {
      const agents = await listAgents(context)
      if (agents.length === 0)
        throw new LabError({ found: 'No Tetragon agent is running', next: './lab kubectl -n monitoring get pods' })
      return (await Promise.all(agents.map(agent => readPoliciesOf(context, agent)))).flat()
    },
  }
}

/** Returns the part of a client that evaluates queries. */
export const telemetryClient = (grafana: GrafanaClient): Pick<LabClient, 'promql' | 'logql'> => ({
  promql: (query, at) => grafana.query('prometheus', query, { to: at }),
  logql: (query, from, to) =>
    grafana.query('loki', query, isLogQuery(query) ? { from, to, limit: maxLogLines } : { to }),
})

/** What kubectl and `./lab kubectl` print when there is no cluster. */
const noCluster =
  /^The connection to the server \S+ was refused|^Unable to connect to the server|^Error +no lab is running/im

/** Returns the result of a program. @throws LabError when it failed because there is no cluster. */
export function requireCluster(result: CommandResult): CommandResult {
  if (result.exitCode === 0 || !noCluster.test(result.stderr)) return result
  throw new LabError({ found: 'The API server is not responding', next: './lab up' })
}

async function runCommand(
  program: string,
  args: readonly string[],
  { timeout, ...options }: { timeout: number; env: Record<string, string>; cwd?: string },
): Promise<CommandResult> {
  const { exitCode, timedOut, code, stdout, stderr, seconds } = await runLimited(program, args, {
    ...options,
    timeoutMs: timeout,
  })
  if (timedOut) return { exitCode: exitCode ?? 124, stdout, stderr: `no response within ${seconds} s` }
  // Without an exit code the program did not start, or a signal ended it.
  if (exitCode === undefined)
    return { exitCode: 1, stdout, stderr: stderr || `${program} ${code ? `did not start: ${code}` : 'was killed'}` }
  return { exitCode, stdout, stderr }
}

/** Returns the YAML files of a student's folder, sorted by name. */
export function readWorkFiles(work: string): WorkFile[] {
  if (!existsSync(work)) return []
  return readdirSync(work, { recursive: true, encoding: 'utf8' })
    .filter(name => /\.ya?ml$/.test(name))
    .sort()
    .map(name => ({ name, text: readFileSync(join(work, name), 'utf8') }))
}
