import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { currentCapabilities } from '../exercise/session/capabilities.ts'
import { readProgress } from '../exercise/session/progress.ts'
import { report } from '../exercise/view/report.ts'
import { print } from '../terminal/output.ts'

export function register(program: Command): void {
  program
    .command('report')
    .description('write one page on what you did in the exercises, to hand in')
    .option('-o, --out <file>', 'write it there; by default it is printed')
    .option('--full', 'with every task, its tries and its answer: more than a page')
    .option('--json', 'print the progress itself as JSON')
    .addHelpText('after', '\nExample:\n  ./lab report --out report.md')
    .action(async ({ out, full, json = false }: { out?: string; full?: boolean; json?: boolean }) => {
      const progress = readProgress()
      if (json) return void process.stdout.write(`${JSON.stringify(progress, null, 2)}\n`)
      const page = report(progress, await currentCapabilities(), { full })
      if (out === undefined) return void process.stdout.write(page)
      writeFileSync(out, page)
      print(`Written: ${out}`)
    })
}
