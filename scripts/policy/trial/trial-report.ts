import { colors } from '../../terminal/colors.ts'
import { print } from '../../terminal/output.ts'
import type { PolicyEvent } from './policy-events.ts'
import type { TrialResult } from './try-policy.ts'

/** How many events are printed. */
const shownEvents = 5

/** Prints what happened when a policy was triggered. */
export function showTrial({ run, output, events, checks }: TrialResult): void {
  print(colors.bold(`$ ${run}`))
  for (const line of output.trim().split('\n')) if (line) print(`  ${line}`)
  print()
  for (const { claim, passed, found } of checks)
    print(`${passed ? colors.green('✔') : colors.red('✖')} ${claim}${passed ? '' : ` ${colors.dim(`(${found})`)}`}`)
  for (const event of events.slice(0, shownEvents)) print(`    ${formatEvent(event)}`)
  if (events.length > shownEvents) print(colors.dim(`    and ${events.length - shownEvents} more`))
}

/** Formats an event as one line, as in `security_file_open /etc/shadow, by cat /etc/shadow in visitor-1, Override`. */
export function formatEvent({ call, args, process, pod, action, returned }: PolicyEvent): string {
  const parts = [
    [call, ...args].join(' '),
    `by ${process} in ${pod}`,
    returned === undefined ? '' : `returned ${returned}`,
    action ?? '',
  ]
  return parts.filter(Boolean).join(', ')
}
