import { colors } from '../../terminal/colors.ts'
import { print } from '../../terminal/output.ts'
import type { WalkStep } from '../walk/walk-step.ts'

const marks: Record<WalkStep['result'], string> = {
  ok: colors.green('✔'),
  fail: colors.red('✖'),
  skip: colors.yellow('–'),
}

/** Prints one step of an exercise's test. */
export function showStep({ what, result, found, seconds }: WalkStep): void {
  const visible = found && (result !== 'ok' || process.stdout.isTTY)
  const detail = visible ? colors.dim(`  ${found.slice(0, result === 'ok' ? 90 : 1500)}`) : ''
  print(`  ${marks[result]} ${what}${seconds >= 1 ? colors.dim(` ${seconds.toFixed(0)} s`) : ''}${detail}`)
}

/** Prints how many steps passed, failed and were skipped. */
export function showTestSummary(exercises: number, steps: WalkStep[]): void {
  const count = (result: WalkStep['result']): number => steps.filter(step => step.result === result).length
  const summary = `${exercises} exercise${exercises === 1 ? '' : 's'}, ${steps.length} steps: ${count('ok')} passed, ${count('fail')} failed, ${count('skip')} skipped`
  print((count('fail') === 0 ? colors.green : colors.red)(`\n${summary}`))
}
