import type { Command } from 'commander'
import colors from 'picocolors'
import { print, printJson } from '../terminal/output.ts'
import { verify } from '../verify/verify.ts'
import type { VerifyCheck } from '../verify/verify-check.ts'

export function register(program: Command): void {
  program
    .command('verify')
    .description(
      'check every promise of the lab: pods and their rights, targets, events, every panel of every dashboard, ports, keys, images',
    )
    .option('--json', 'print every check as JSON')
    .option('-v, --verbose', 'show also what is as it should be')
    .addHelpText('after', '\nExample:\n  ./lab verify --json | jq \'.[] | select(.result == "fail")\'')
    .action(async ({ json = false, verbose = false }: { json?: boolean; verbose?: boolean }) => {
      const checks = await verify()
      if (json) printJson(checks)
      else show(checks, verbose)
      if (checks.some(check => check.result === 'fail')) process.exitCode = 1
    })
}

const marks: Record<VerifyCheck['result'], string> = {
  ok: colors.green('✔'),
  fail: colors.red('✖'),
  skip: colors.yellow('–'),
}

function show(checks: VerifyCheck[], verbose: boolean): void {
  for (const [area, list] of Map.groupBy(checks, check => check.area)) {
    const good = list.filter(check => check.result === 'ok').length
    print(
      `${good === list.length ? marks.ok : list.some(check => check.result === 'fail') ? marks.fail : marks.skip} ${colors.bold(area)} ${good}/${list.length}`,
    )
    for (const { result, title, found, expected, next, proof } of list) {
      if (result === 'ok' && !verbose) continue
      print(`  ${marks[result]} ${title}: ${found}`)
      if (expected) print(colors.dim(`      expected ${expected}; next: ${next}`))
      if (proof) print(colors.dim(`      see for yourself: ${proof}`))
    }
  }
  const failed = checks.filter(check => check.result === 'fail').length
  print(
    failed === 0
      ? colors.green('\nThe lab keeps its promises.')
      : colors.red(`\n${failed} of ${checks.length} checks failed.`),
  )
}
