import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { CommanderError } from 'commander'
import manifest from '../package.json' with { type: 'json' }
import { LabError } from '../shared/lab-error.ts'
import { chooseStack } from './context/choose-stack.ts'
import { LabCommand } from './terminal/lab-command.ts'
import { report } from './terminal/output.ts'

// The `lab` command. Each file in scripts/commands registers one subcommand.

const folder = join(import.meta.dirname, 'commands')

/** Order of the subcommands in the help; others follow by name. */
const order = [
  'up',
  'down',
  'status',
  'verify',
  'doctor',
  'prefetch',
  'bundle',
  'plan',
  'env',
  'logs',
  'kubectl',
  'tetra',
  'pulumi',
  'policy',
  'dashboards',
  'exercise',
  'class',
  'report',
  'pins',
  'completion',
]

/**
 * Runs the command line and prints errors.
 * @param typed the words after `./lab`
 * @returns the exit code of an error or of the help: 0 for help, 1 for a problem of the machine or the lab, 2 for wrong
 * usage. Undefined if the command returned; it may have set `process.exitCode`.
 */
export async function run(typed: string[]): Promise<number | undefined> {
  try {
    const program = await loadProgram(typed)
    await program.parseAsync(typed, { from: 'user' })
    return undefined
  } catch (error) {
    // commander printed the help: because the user asked for it (0), or because a subcommand is missing.
    return error instanceof CommanderError ? (error.exitCode === 0 ? 0 : 2) : report(error)
  }
}

/**
 * Creates the program with its subcommands, which are loaded on demand.
 * @param typed the words after `./lab`; none for every subcommand
 */
export async function loadProgram(typed: string[] = []): Promise<LabCommand> {
  const program = createProgram(typed)
  for (const name of commandsToLoad(typed)) {
    const { register } = (await import(join(folder, `${name}.ts`))) as { register: (program: LabCommand) => void }
    register(program)
  }
  return program
}

function createProgram(typed: string[]): LabCommand {
  const program = new LabCommand('lab')
    .description('An eBPF security-observability lab on this machine')
    .option('--lock <file>', 'Lock file whose entries replace those of lab.lock.yaml (or LAB_LOCK)')
    .option('--stack <name>', 'Pulumi stack, whose settings are in Pulumi.<name>.yaml (or LAB_STACK; default dev)')
    .version(manifest.version, '--version', 'Show the version of the lab')
    .helpOption('-h, --help', 'Show this help')
    .helpCommand('help [command]', 'Show the help of a command')
    .exitOverride()
    .configureHelp({ sortSubcommands: false })
    .addHelpText('after', '\nExample:\n  ./lab up && ./lab verify')
    .hook('preAction', command => {
      const { lock, stack = process.env.LAB_STACK } = command.opts<{ lock?: string; stack?: string }>()
      if (lock === '')
        throw new LabError({
          found: '--lock has an empty file name',
          next: 'repeat the command without --lock, or with --lock FILE',
          exitCode: 2,
        })
      // The Pulumi program is a child process and reads the same variable.
      if (lock !== undefined) process.env.LAB_LOCK = lock
      if (stack !== undefined) chooseStack(stack)
    })
  program.typed = typed
  return program
}

/** Returns the typed command, to keep the start fast; all commands for the help and for an unknown name. */
function commandsToLoad(typed: string[]): string[] {
  const names = readdirSync(folder)
    .filter(file => file.endsWith('.ts'))
    .map(file => file.slice(0, -'.ts'.length))
  const command = typed.find((word, index) => !word.startsWith('-') && !/^--(lock|stack)$/.test(typed[index - 1] ?? ''))
  if (command !== undefined && names.includes(command)) return [command]
  const rank = (name: string): number => (order.includes(name) ? order.indexOf(name) : order.length)
  return names.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b))
}

if (import.meta.main) {
  // `./lab … | head` closes the pipe early.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit()
    throw error
  })
  const exitCode = await run(process.argv.slice(2))
  // Exits at once, without waiting for downloads that are still running.
  if (exitCode !== undefined) process.exit(exitCode)
}
