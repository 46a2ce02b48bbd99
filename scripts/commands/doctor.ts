import type { Command } from 'commander'
import { readLock } from '../../shared/lock.ts'
import { readSettings } from '../../shared/settings/stack-file.ts'
import type { DoctorCheck } from '../doctor/doctor-check.ts'
import { takeInventory } from '../doctor/preflight.ts'
import { colors } from '../terminal/colors.ts'
import { print, printJson } from '../terminal/output.ts'

export function register(program: Command): void {
  program
    .command('doctor')
    .description('Check whether the lab can run on this machine, and show how to fix what is missing')
    .option('--json', 'Print the machine, the exercises and the checks as JSON, for an inventory')
    .addHelpText('after', `\nExample:\n  ./lab doctor --json | jq '.checks[] | select(.level != "ok")'`)
    .action(async ({ json = false }: { json?: boolean }) => {
      const report = await takeInventory(readSettings(), readLock())
      if (json) printJson(report)
      else showChecks(report.checks)
      if (!report.ready) process.exitCode = 1
    })
}

const marks = { ok: colors.green('ok  '), warn: colors.yellow('warn'), fail: colors.red('fail') }

function showChecks(checks: readonly DoctorCheck[]): void {
  const width = Math.max(...checks.map(check => check.title.length))
  const indent = ' '.repeat(width + 8)
  for (const { level, title, found, expected, next } of checks) {
    print(`${marks[level]}  ${title.padEnd(width)}  ${found}`)
    if (level === 'ok') continue
    if (expected) print(`${indent}${colors.dim('Expected')}  ${expected}`)
    print(`${indent}${colors.dim('Fix')}       ${next}`)
  }
  const count = (level: DoctorCheck['level']): number => checks.filter(check => check.level === level).length
  const [failures, warnings] = [count('fail'), count('warn')]
  print()
  if (failures > 0)
    print(colors.red(`The lab cannot start here: fix ${failures} problem${failures === 1 ? '' : 's'} first.`))
  else print(`The lab can start here${warnings > 0 ? ` (${warnings} warning${warnings === 1 ? '' : 's'})` : ''}.`)
}
