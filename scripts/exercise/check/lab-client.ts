import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { LabError } from '../../../shared/lab-error.ts'
import { dataSources, namespaces } from '../../../shared/names.ts'
import { projectDir } from '../../../shared/paths.ts'
import { kubeArgs } from '../../cluster/kubectl.ts'
import { loadContext } from '../../context/context.ts'
import { Grafana } from '../../telemetry/grafana.ts'

/** One series of an answer at one moment; of log lines, their number. */
export interface Sample {
  labels: Record<string, string>
  value: number
}

/** What came of a program. */
export interface Ran {
  exitCode: number
  stdout: string
  stderr: string
}

/** A file of the student's. */
export interface WorkFile {
  /** From the student's folder. */
  name: string
  text: string
}

/** What the agent says of one policy (`tetra tp list -o json`). Fields that are zero or empty are absent. */
export interface AgentPolicy {
  name: string
  namespace?: string
  state?: string
  mode?: string
  error?: string
  stats?: { action_counters?: Record<string, string> }
}

/** All that checks look at. What cannot be asked is thrown as a LabError. */
export interface LabClient {
  /** Evaluates PromQL at a moment. */
  promql(query: string, at: Date): Promise<Sample[]>
  /** Evaluates a LogQL metric query at `to`, or counts the lines of a log query in between, up to 500, by stream. */
  logql(query: string, from: Date, to: Date): Promise<Sample[]>
  kubectl(args: readonly string[]): Promise<Ran>
  /** Runs shell commands in the project's folder. */
  run(command: string, options: { timeout: number; work: string }): Promise<Ran>
  /** The student's own files. */
  files(work: string): WorkFile[]
  agentPolicies(): Promise<AgentPolicy[]>
}

/** Whether LogQL asks for lines rather than for numbers. */
export const isLogQuery = (query: string): boolean => query.trimStart().startsWith('{')

/** Longest list of lines that Loki is asked for. */
const mostLines = 500

/** The lab that runs on this machine. */
export async function connectLabClient(): Promise<LabClient> {
  const { settings, env } = await loadContext()
  kubeArgs(settings)
  const grafana = new Grafana(settings)
  const ask = async (source: string, path: string, parameters: Record<string, string>): Promise<Sample[]> =>
    samples(await grafana.get<Answer>(`/api/datasources/proxy/uid/${source}${path}?${new URLSearchParams(parameters)}`))
  const kubectl = async (args: readonly string[]) =>
    answered(await execute('kubectl', [...kubeArgs(settings), ...args], { timeout: 20_000, env }))
  return {
    promql: (query, at) =>
      ask(dataSources.prometheus, '/api/v1/query', { query, time: (at.getTime() / 1000).toFixed(3) }),
    logql: (query, from, to) =>
      isLogQuery(query)
        ? ask(dataSources.loki, '/loki/api/v1/query_range', {
            query,
            start: nanoseconds(from),
            end: nanoseconds(to),
            limit: String(mostLines),
          })
        : ask(dataSources.loki, '/loki/api/v1/query', { query, time: nanoseconds(to) }),
    kubectl,
    run: async (command, { timeout, work }) =>
      answered(await execute('bash', ['-c', command], { timeout, env: { ...env, WORK: work }, cwd: projectDir })),
    files: readFiles,
    agentPolicies: async () => {
      const { exitCode, stdout, stderr } = await kubectl([
        '-n',
        namespaces.monitoring,
        'exec',
        'ds/tetragon',
        '-c',
        'tetragon',
        '--',
        'tetra',
        'tp',
        'list',
        '-o',
        'json',
      ])
      if (exitCode !== 0)
        throw new LabError({
          found: `the agent does not answer: ${stderr.trim().split('\n').at(-1)}`,
          expected: 'a list of its policies',
          next: './lab logs tetragon',
        })
      return (JSON.parse(stdout) as { policies?: AgentPolicy[] }).policies ?? []
    },
  }
}

/** What kubectl says, and `./lab kubectl`, where there is no cluster to ask. */
const nobody =
  /^The connection to the server \S+ was refused|^Unable to connect to the server|^Error +no lab is running/m

/** What a program says of the cluster. @throws LabError where there was none to say it of. */
export function answered(ran: Ran): Ran {
  if (ran.exitCode === 0 || !nobody.test(ran.stderr)) return ran
  throw new LabError({ found: 'the API server does not answer', expected: 'a lab that is up', next: './lab up' })
}

interface Answer {
  data: {
    resultType: 'vector' | 'scalar' | 'matrix' | 'streams'
    result: unknown
  }
}

/** An answer of Prometheus or Loki as samples. */
export function samples({ data }: Answer): Sample[] {
  if (data.resultType === 'scalar') return [{ labels: {}, value: Number((data.result as [number, string])[1]) }]
  const series = data.result as {
    metric?: Record<string, string>
    stream?: Record<string, string>
    value?: [number, string]
    values?: [string, string][]
  }[]
  return series.map(({ metric, stream, value, values }) =>
    stream
      ? { labels: stream, value: values?.length ?? 0 }
      : { labels: metric ?? {}, value: Number((value ?? values?.at(-1))?.[1]) },
  )
}

const nanoseconds = (date: Date): string => String(BigInt(date.getTime()) * 1_000_000n)

async function execute(
  program: string,
  args: readonly string[],
  { timeout, env, cwd }: { timeout: number; env: Record<string, string>; cwd?: string },
): Promise<Ran> {
  const result = await execa(program, args, {
    stdin: 'ignore',
    timeout,
    env,
    cwd,
    reject: false,
    forceKillAfterDelay: 500,
  })
  return {
    exitCode: result.exitCode ?? (result.timedOut ? 124 : 1),
    stdout: result.stdout,
    stderr: result.timedOut
      ? `no answer within ${timeout / 1000} s`
      : result.stderr || (result.exitCode === undefined ? (result.shortMessage ?? '') : ''),
  }
}

/** YAML files of a student's folder. */
export function readFiles(work: string): WorkFile[] {
  if (!existsSync(work)) return []
  return readdirSync(work, { recursive: true, encoding: 'utf8' })
    .filter(name => /\.ya?ml$/.test(name))
    .sort()
    .map(name => ({ name, text: readFileSync(join(work, name), 'utf8') }))
}
