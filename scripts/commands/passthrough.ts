import type { Command } from 'commander'
import { execa } from 'execa'
import { projectDir } from '../../stacks/paths.ts'
import { loadContext } from '../context.ts'
import { kubeArgs } from '../kube.ts'
import { ensureStack } from '../pulumi/stack.ts'
import { tetra } from '../tetra.ts'

export function register(program: Command): void {
  const through = (
    name: string,
    description: string,
    example: string,
    run: (args: string[]) => Promise<number | undefined>,
  ) =>
    program
      .command(name)
      .description(description)
      .argument('[args...]', `what ${name} is given`)
      .allowUnknownOption()
      .passThroughOptions()
      .helpOption('-h, --help', `help for this command; that of ${name} itself: ./lab ${name} -- --help`)
      .addHelpText('after', `\nExample:\n  ${example}`)
      .action(async (args: string[]) => {
        process.exitCode = await run(args)
      })

  program.enablePositionalOptions()
  through('kubectl', "run kubectl on the lab's cluster", './lab kubectl get pods -A', async args => {
    const { settings } = await loadContext()
    return run('kubectl', [...kubeArgs(settings), ...args])
  })
  through(
    'pulumi',
    "run Pulumi on the lab's stack",
    './lab pulumi config set --path tetragon-lab:traffic.rate 20',
    async args => {
      const { env } = await loadContext()
      await ensureStack(env)
      return run('pulumi', args, env)
    },
  )
  through(
    'tetra',
    "run Tetragon's own command on the lab's agent, or on the replayed events",
    './lab tetra getevents -o compact --pods visitor',
    tetra,
  )
}

/** Runs a program on this terminal. @returns its exit code. */
async function run(program: string, args: string[], env: Record<string, string> = {}): Promise<number | undefined> {
  const { exitCode, signal } = await execa(program, args, {
    stdio: 'inherit',
    reject: false,
    env,
    cwd: program === 'pulumi' ? projectDir : process.cwd(),
  })
  return exitCode ?? (signal ? 130 : 1)
}
