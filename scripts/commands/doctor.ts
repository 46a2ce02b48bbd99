import type { Command } from 'commander'
import colors from 'picocolors'
import { readLock } from '../../shared/lock.ts'
import { readSettings } from '../../shared/settings/stack-file.ts'
import type { DoctorCheck } from '../doctor/doctor-check.ts'
import { examine } from '../doctor/preflight.ts'
import { print, printJson } from '../terminal/output.ts'

export function register(program: Command): void {
  program
    .command('doctor')
    .description('say whether the lab will stand up on this machine, and what to do where it will not')
    .option('--json', 'print machine, exercises and checks as JSON, for an inventory')
    .addHelpText('after', `\nExample:\n  ./lab doctor --json | jq '.checks[] | select(.level != "ok")'`)
    .action(async ({ json = false }: { json?: boolean }) => {
      const found = await examine(readSettings(), readLock())
      if (json) printJson(found)
      else show(found.checks)
      if (!found.ready) process.exitCode = 1
    })
}

const marks = { ok: colors.green('ok  '), warn: colors.yellow('warn'), fail: colors.red('fail') }

function show(checks: readonly DoctorCheck[]): void {
  const width = Math.max(...checks.map(check => check.title.length))
  const indent = ' '.repeat(width + 8)
  for (const { level, title, found, expected, next } of checks) {
    print(`${marks[level]}  ${title.padEnd(width)}  ${found}`)
    if (level === 'ok') continue
    print(`${indent}${colors.dim('expected')} ${expected}`)
    print(`${indent}${colors.dim('next    ')} ${next}`)
  }
  const count = (level: DoctorCheck['level']): number => checks.filter(check => check.level === level).length
  print()
  print(
    count('fail') > 0
      ? colors.red(`The lab will not stand up here: ${count('fail')} to mend first.`)
      : `The lab can stand up here${count('warn') > 0 ? `, with ${count('warn')} to know about` : ''}.`,
  )
}
