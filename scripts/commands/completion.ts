import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { LabError } from '../../shared/lab-error.ts'
import { projectDir } from '../../shared/paths.ts'
import { shellQuote } from '../../shared/shell-quote.ts'
import { nearest } from '../../shared/validation/schema-errors.ts'
import { withValues } from '../terminal/lab-command.ts'

const shells = ['bash', 'zsh', 'fish']

export function register(program: Command): void {
  program
    .command('completion')
    .description('Print a script that completes commands, options, policies, exercises and settings in your shell')
    .addArgument(withValues(program.createArgument('<shell>', `Your shell: ${shells.join(', ')}`), shells))
    .addHelpText(
      'after',
      `
Save the script once: it asks this checkout for the candidates, so it is never out of date.

Examples:
  ./lab completion bash > ~/.local/share/bash-completion/completions/lab   # or source the script in ~/.bashrc
  ./lab completion zsh > ~/.zfunc/_lab   # with fpath+=(~/.zfunc) before compinit in ~/.zshrc
  ./lab completion fish > ~/.config/fish/completions/lab.fish`,
    )
    .action((shell: string) => void process.stdout.write(completionScript(shell)))
}

/** Returns the script for a shell. It has the path of this checkout, so that a key press runs no other `./lab`. */
function completionScript(shell: string): string {
  if (!shells.includes(shell))
    throw new LabError({
      found: `There is no completion for ${shell}`,
      expected: `one of ${shells.join(', ')}`,
      next: `./lab completion ${nearest(shell, shells) ?? 'bash'}`,
      exitCode: 2,
    })
  const script = readFileSync(join(projectDir, 'scripts', 'completion', `lab.${shell}`), 'utf8')
  return script.replaceAll('@LAB@', () => shellQuote(join(projectDir, 'lab')))
}
