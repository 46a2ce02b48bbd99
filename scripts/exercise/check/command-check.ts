import { milliseconds, type RunCheck } from '../definition/check-schema.ts'
import { describeCondition, meets } from '../definition/condition.ts'
import { type CheckContext, type CheckResult, lastLine, passIf } from './check-context.ts'
import { fillSince } from './query-check.ts'

/** Runs shell commands, and checks their exit code and output. */
export async function checkCommand(check: RunCheck, { lab, work, startedAt, now }: CheckContext): Promise<CheckResult> {
  const { command, exit, stdout, stderr, timeout } = check
  const result = await lab.run(fillSince(command, { startedAt, now }), { timeout: milliseconds(timeout), work })
  const printed = lastLine(result.stdout) || lastLine(result.stderr)
  const expected = [
    ...(stdout === undefined ? [] : [`output: ${describeCondition(stdout)}`]),
    ...(stderr === undefined ? [] : [`standard error: ${describeCondition(stderr)}`]),
    `exit code ${exit}`,
  ]
  return passIf(
    result.exitCode === exit &&
      (stdout === undefined || meets(stdout, result.stdout)) &&
      (stderr === undefined || meets(stderr, result.stderr)),
    `${shortCommand(command)} exited with ${result.exitCode}${printed ? ` and printed: ${printed.slice(0, 200)}` : ''}`,
    expected.join(', '),
  )
}

/** Returns the last of several commands, cut to 100 characters. */
function shortCommand(commands: string): string {
  const command = lastLine(commands)
  return command.length > 100 ? `${command.slice(0, 99)}…` : command
}
