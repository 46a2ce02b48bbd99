import { execa } from 'execa'
import { LabError } from '../../shared/lab-error.ts'
import { exportFile, namespaces } from '../../shared/names.ts'
import { shellQuote } from '../../shared/shell-quote.ts'
import { kubeArgs } from '../cluster/kubectl.ts'
import { endsWithConnection } from '../cluster/remote-command.ts'
import { loadRunningLab } from '../context/context.ts'
import { ensureTools } from '../supplies/tools.ts'
import { runningSource } from './running-source.ts'

/**
 * Runs `tetra ARGS` on this terminal: in the agent's pod, or without an agent on the replayed events.
 * @returns its exit code.
 * @throws LabError when no lab is running, or the command needs an agent and there is none.
 */
export async function runTetra(args: string[]): Promise<number> {
  const context = await loadRunningLab()
  const exec = ['kubectl', ...kubeArgs(context.settings), '-n', namespaces.monitoring, 'exec']
  if ((await runningSource(context)) === 'live') return run(agentCommand(exec, args), context.env)
  requireReplayable(args)
  const { tetra } = await ensureTools(context.lock, ['tetra'])
  return run(args[0] === 'version' ? [tetra!, 'version'] : replayCommand(exec, [tetra!, ...args]), context.env)
}

type Command = [program: string, ...args: string[]]

/** Runs a command on this terminal. @returns its exit code. */
export async function run([program, ...args]: Command, env: Record<string, string>): Promise<number> {
  // Standard input stays open and empty: the remote side ends with it.
  const { exitCode, signal } = await execa(program, args, {
    stdio: ['pipe', 'inherit', 'inherit'],
    env,
    reject: false,
  })
  return exitCode ?? (signal ? 130 : 1)
}

/** @param exec the start of a `kubectl exec` command. */
export const agentCommand = ([program, ...exec]: string[], args: string[]): Command => [
  program!,
  ...exec,
  ...['--stdin', 'ds/tetragon', '-c', 'tetragon', '--'],
  ...endsWithConnection(['tetra', ...args]),
]

/** @throws LabError for a command that only an agent can answer. */
export function requireReplayable([command, ...options]: string[]): void {
  if (command === 'getevents' || command === 'version') return
  throw new LabError({
    found: `tetra ${[command, ...options].join(' ')} needs an agent, and none is running: the lab replays a recording`,
    expected: 'tetra getevents, which also reads replayed events',
    next: './lab tetra getevents -o compact',
  })
}

/** Returns a shell command that passes the replayed events to tetra. */
export function replayCommand(exec: string[], tetra: string[]): Command {
  const file = `${exportFile.directory}/${exportFile.name}`
  const remote = endsWithConnection(['tail', '-n', '50', '-F', file])
  const tail = [...exec, '--stdin', 'ds/tetragon-replay', '--', ...remote]
  const [events, reader] = [tail, tetra].map(words => words.map(shellQuote).join(' '))
  // tetra reads its standard input only from a real pipe. Node would connect the two programs by a socket.
  return ['sh', '-c', `${events} 2>/dev/null | ${reader}`]
}
