import type { Command } from 'commander'
import { execa } from 'execa'

/** Adds a command that passes all its arguments, options included, to another program. */
export function addPassThrough(
  program: Command,
  {
    name,
    description,
    example,
    run,
  }: { name: string; description: string; example: string; run: (args: string[]) => Promise<number | undefined> },
): void {
  program.enablePositionalOptions()
  program
    .command(name)
    .description(description)
    .argument('[args...]', `Arguments for ${name}`)
    .allowUnknownOption()
    .passThroughOptions()
    .helpOption('-h, --help', `Show this help. For the help of ${name}: ./lab ${name} -- --help`)
    .addHelpText('after', `\nExample:\n  ${example}`)
    .action(async (args: string[]) => {
      process.exitCode = await run(args)
    })
}

/** Runs a program on this terminal and returns its exit code. */
export async function runOnTerminal(
  program: string,
  args: string[],
  options: { env?: Record<string, string>; cwd?: string } = {},
): Promise<number | undefined> {
  const { exitCode, signal } = await execa(program, args, { stdio: 'inherit', reject: false, ...options })
  return exitCode ?? (signal ? 130 : 1)
}
