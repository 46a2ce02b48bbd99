import { execa } from 'execa'
import { LabError } from '../../shared/lab-error.ts'
import { exportFile, namespaces } from '../../shared/names.ts'
import { kubeArgs, kubectlJson } from '../cluster/kubectl.ts'
import { loadContext } from '../context/context.ts'
import { ensureTools } from '../supplies/tools.ts'

/** Which of the two runs in the cluster. @throws LabError when no lab is running. */
export async function runningSource(): Promise<'live' | 'replay' | 'none'> {
  const { items } = await kubectlJson<{ items: { metadata: { name: string } }[] }>([
    'get',
    'daemonsets',
    '-n',
    namespaces.monitoring,
  ])
  const names = items.map(item => item.metadata.name)
  return names.includes('tetragon') ? 'live' : names.includes('tetragon-replay') ? 'replay' : 'none'
}

/**
 * Runs `tetra ARGS`: inside the agent where there is one. Where a recording is replayed there is no agent to ask, but `getevents` reads events
 * from a pipe as well, and is given those of the replay.
 * @returns its exit code.
 * @throws LabError for what only an agent can answer.
 */
export async function tetra(args: string[]): Promise<number | undefined> {
  const { settings, lock } = await loadContext()
  const kubectl = [...kubeArgs(settings), '-n', namespaces.monitoring, 'exec']
  const source = await runningSource()
  if (source === 'live') {
    // Never with a pipe on its standard input: tetra would read events from there and wait for ever.
    const { exitCode } = await execa('kubectl', [...kubectl, 'ds/tetragon', '-c', 'tetragon', '--', 'tetra', ...args], {
      stdin: 'ignore',
      stdout: 'inherit',
      stderr: 'inherit',
      reject: false,
    })
    return exitCode
  }
  if (args[0] !== 'getevents' && args[0] !== 'version')
    throw new LabError({
      found: `tetra ${args.join(' ')}, but no agent runs here: the events are a recording`,
      expected: 'tetra getevents, which reads the replayed events too',
      next: './lab tetra getevents -o compact   (why there is no agent: ./lab status)',
    })
  const { tetra: program } = await ensureTools(lock, ['tetra'])
  if (args[0] === 'version') return (await execa(program!, ['version'], { stdio: 'inherit', reject: false })).exitCode
  // By a shell: tetra reads events from a real pipe alone, and what Node puts between two programs is a socket.
  const file = `${exportFile.directory}/${exportFile.name}`
  const events = ['kubectl', ...kubectl, 'ds/tetragon-replay', '--', 'tail', '-n', '50', '-F', file]
    .map(quote)
    .join(' ')
  const reader = [program!, ...args].map(quote).join(' ')
  const { exitCode, signal } = await execa('sh', ['-c', `${events} </dev/null 2>/dev/null | ${reader}`], {
    stdio: ['ignore', 'inherit', 'inherit'],
    reject: false,
  })
  return exitCode ?? (signal ? 130 : 1)
}

const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`
