import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { CommanderError } from 'commander'
import manifest from '../package.json' with { type: 'json' }
import { LabError } from '../shared/lab-error.ts'
import { LabCommand } from './terminal/lab-command.ts'
import { report } from './terminal/output.ts'

// The `lab` command: finds its subcommands in scripts/commands, one file each, and turns what they throw into lines and an exit code.

const folder = join(import.meta.dirname, 'commands')

const order = [
  'up',
  'down',
  'status',
  'verify',
  'doctor',
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
]
function rank(file: string): number {
  const at = order.indexOf(file.replace(/\.ts$/, ''))
  return at < 0 ? order.length : at
}

/**
 * Does what was asked for. What is thrown is printed.
 * @param typed the words after `./lab`
 * @returns the exit code of what was thrown: 0 for help, 1 for a state of the machine or the lab, 2 for wrong usage. Undefined where nothing was;
 * a command may then have set `process.exitCode`.
 */
export async function run(typed: string[]): Promise<number | undefined> {
  try {
    const program = new LabCommand('lab')
      .description('An eBPF security-observability lab on this machine: one command stands it up, one removes it.')
      .option('--lock <file>', 'pins to lay over lab.lock.yaml (or LAB_LOCK)')
      .version(manifest.version, '--version', 'the version of the lab; what it installs is in lab.lock.yaml')
      .exitOverride()
      .configureHelp({ sortSubcommands: false })
      .addHelpText('after', '\nExample:\n  ./lab up && ./lab verify')
      .hook('preAction', command => {
        const { lock } = command.opts<{ lock?: string }>()
        if (lock === '')
          throw new LabError({
            found: '--lock with an empty name',
            expected: 'a file of pins',
            next: './lab --lock FILE …, or without --lock',
            exitCode: 2,
          })
        if (lock !== undefined) process.env.LAB_LOCK = lock
      })
    program.typed = typed
    // Only the one that is asked for is loaded; all of them for help, and to say what a wrong name might have meant.
    const asked = typed.find((word, index) => !word.startsWith('-') && typed[index - 1] !== '--lock')
    const all = readdirSync(folder).filter(file => file.endsWith('.ts'))
    const files = all.includes(`${asked}.ts`)
      ? [`${asked}.ts`]
      : all.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b))
    for (const file of files) {
      const { register } = (await import(join(folder, file))) as { register: (program: LabCommand) => void }
      register(program)
    }
    await program.parseAsync(typed, { from: 'user' })
    return undefined
  } catch (error) {
    // commander has printed help or version, which is 0, or help because a subcommand is missing.
    return error instanceof CommanderError ? (error.exitCode === 0 ? 0 : 2) : report(error)
  }
}

if (import.meta.main) {
  // `./lab … | head` closes the pipe when it has seen enough.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit()
    throw error
  })
  const failed = await run(process.argv.slice(2))
  // At once: what was under way when it failed, a download beside it, is of no use any more.
  if (failed !== undefined) process.exit(failed)
}
