import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Command, CommanderError } from 'commander'
import { report } from './output.ts'

// The `lab` command: finds its subcommands in scripts/commands, one file each, and turns what they throw into lines and an exit code.

const folder = join(import.meta.dirname, 'commands')

const program = new Command('lab')
  .description('An eBPF security-observability lab on this machine: one command stands it up, one removes it.')
  .option('--lock <file>', 'pins to lay over lab.lock.yaml (or LAB_LOCK)')
  .showHelpAfterError('(add --help for what is possible)')
  .exitOverride()
  .configureHelp({ sortSubcommands: false })
  .addHelpText('after', '\nExample:\n  ./lab up && ./lab verify')
  .hook('preAction', command => {
    const { lock } = command.opts<{ lock?: string }>()
    if (lock) process.env.LAB_LOCK = lock
  })

const order = [
  'up',
  'down',
  'status',
  'verify',
  'doctor',
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
// Only the one that is asked for is loaded; all of them for help, and to say what a wrong name might have meant.
const asked = process.argv
  .slice(2)
  .find((argument, index, all) => !argument.startsWith('-') && all[index - 1] !== '--lock')
const all = readdirSync(folder).filter(file => file.endsWith('.ts'))
const files = all.includes(`${asked}.ts`)
  ? [`${asked}.ts`]
  : all.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b))
for (const file of files) {
  const { register } = (await import(join(folder, file))) as { register: (program: Command) => void }
  register(program)
}

function rank(file: string): number {
  const at = order.indexOf(file.replace(/\.ts$/, ''))
  return at < 0 ? order.length : at
}

// `./lab … | head` closes the pipe when it has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit()
  throw error
})

try {
  await program.parseAsync()
} catch (error) {
  // commander has printed its own message; 0 is help or version, all else is wrong usage. At once: what was under way when it failed, a
  // download beside it, is of no use any more.
  process.exit(error instanceof CommanderError ? (error.exitCode === 0 ? 0 : 2) : report(error))
}
