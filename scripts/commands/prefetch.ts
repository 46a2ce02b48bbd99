import type { Command } from 'commander'
import { prefetch } from '../lab/prefetch.ts'
import { colors } from '../terminal/colors.ts'
import { print, printJson } from '../terminal/output.ts'

export function register(program: Command): void {
  program
    .command('prefetch')
    .description('Download everything that `lab up` needs, without starting it')
    .option('--json', 'Print what is present as JSON, without progress')
    .addHelpText('after', '\nExample:\n  ./lab prefetch   # at home; then ./lab up needs no network')
    .action(async ({ json = false }: { json?: boolean }) => {
      const result = await prefetch({ silent: json })
      if (json) return printJson(result)
      const { charts, images, downloaded } = result
      print(colors.green(`Ready for ./lab up: ${charts.length} charts and ${images.length} images`))
      print(downloaded > 0 ? `${downloaded} of them were downloaded now.` : 'All of them were already here.')
    })
}
