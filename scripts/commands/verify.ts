import type { Command } from 'commander'
import { colors } from '../terminal/colors.ts'
import { print, printJson } from '../terminal/output.ts'
import { verify } from '../verify/verify.ts'
import type { VerifyCheck } from '../verify/verify-check.ts'

export function register(program: Command): void {
  program
    .command('verify')
    .description(
      'Check that everything works: pods and their permissions, targets, events, dashboard panels, ports, secrets, images',
    )
    .option('--json', 'Print every check as JSON')
    .option('-v, --verbose', 'Also show the checks that passed')
    .addHelpText('after', '\nExample:\n  ./lab verify --json | jq \'.[] | select(.result == "fail")\'')
    .action(async ({ json = false, verbose = false }: { json?: boolean; verbose?: boolean }) => {
      const checks = await verify()
      if (json) printJson(checks)
      else showChecks(checks, verbose)
      if (checks.some(check => check.result === 'fail')) process.exitCode = 1
    })
}

const marks: Record<VerifyCheck['result'], string> = {
  ok: colors.green('✔'),
  fail: colors.red('✖'),
  skip: colors.yellow('–'),
}

function showChecks(checks: VerifyCheck[], verbose: boolean): void {
  for (const [area, list] of Map.groupBy(checks, check => check.area)) {
    const passed = list.filter(check => check.result === 'ok').length
    const failed = list.some(check => check.result === 'fail')
    const mark = passed === list.length ? marks.ok : failed ? marks.fail : marks.skip
    print(`${mark} ${colors.bold(area)} ${passed}/${list.length}`)
    for (const { result, title, found, expected, next, proof } of list) {
      if (result === 'ok' && !verbose) continue
      print(`  ${marks[result]} ${title}: ${found}`)
      if (expected) print(colors.dim(`      Expected  ${expected}`))
      if (next) print(colors.dim(`      Fix       ${next}`))
      if (proof) print(colors.dim(`      Try it    ${proof}`))
    }
  }
  const failed = checks.filter(check => check.result === 'fail').length
  print(
    failed === 0 ? colors.green('\nEverything works.') : colors.red(`\n${failed} of ${checks.length} checks failed.`),
  )
}
