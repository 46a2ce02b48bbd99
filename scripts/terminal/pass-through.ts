import type { Command } from 'commander'
import { execa } from 'execa'

/** A command that hands everything on to another program, options and all. */
export function through(
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
    .argument('[args...]', `what ${name} is given`)
    .allowUnknownOption()
    .passThroughOptions()
    .helpOption('-h, --help', `help for this command; that of ${name} itself: ./lab ${name} -- --help`)
    .addHelpText('after', `\nExample:\n  ${example}`)
    .action(async (args: string[]) => {
      process.exitCode = await run(args)
    })
}

/** Runs a program on this terminal. @returns its exit code. */
export async function onTerminal(
  program: string,
  args: string[],
  options: { env?: Record<string, string>; cwd?: string } = {},
): Promise<number | undefined> {
  const { exitCode, signal } = await execa(program, args, { stdio: 'inherit', reject: false, ...options })
  return exitCode ?? (signal ? 130 : 1)
}
