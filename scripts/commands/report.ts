import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { currentCapabilities } from '../exercise/session/current-capabilities.ts'
import { readProgress } from '../exercise/session/progress.ts'
import { progressReport } from '../exercise/view/progress-report.ts'
import { print, printJson } from '../terminal/output.ts'

export function register(program: Command): void {
  program
    .command('report')
    .description('Write a one-page report on your exercises, to hand in')
    .option('-o, --out <file>', 'Write it to this file instead of printing it')
    .option('--full', 'Include every task with its tries and answer (more than one page)')
    .option('--json', 'Print the progress as JSON')
    .addHelpText('after', '\nExample:\n  ./lab report --out report.md')
    .action(async ({ out, full, json = false }: { out?: string; full?: boolean; json?: boolean }) => {
      const progress = readProgress()
      if (json) return printJson(progress)
      const page = progressReport(progress, await currentCapabilities(), { full })
      if (out === undefined) return void process.stdout.write(page)
      writeFileSync(out, page)
      print(`The report is in ${out}`)
    })
}
