import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { LabError } from '../../shared/lab-error.ts'
import { projectDir } from '../../shared/paths.ts'
import { defaultStack, selectStack, settingsFileName } from '../../shared/stack.ts'
import { nearest } from '../../shared/validation/schema-errors.ts'

/**
 * Selects the stack that `--stack` or `LAB_STACK` names.
 * @throws LabError for a stack without a settings file. Only `dev` needs none.
 */
export function chooseStack(name: string): void {
  if (name !== defaultStack && !(isStackName(name) && existsSync(join(projectDir, settingsFileName(name)))))
    throw unknownStack(name)
  selectStack(name)
}

/** Pulumi's own rule. It also keeps the name from leaving the folder of stacks. */
const isStackName = (name: string): boolean => /^[A-Za-z0-9][\w.-]{0,99}$/.test(name)

function unknownStack(name: string): LabError {
  const stacks = [
    defaultStack,
    ...readdirSync(projectDir).flatMap(file => /^Pulumi\.(.+)\.yaml$/.exec(file)?.[1] ?? []),
  ]
  const near = nearest(name, stacks)
  return new LabError({
    found: isStackName(name) ? `There is no settings file ${settingsFileName(name)}` : `--stack is ${name || '""'}`,
    expected: near ? `${near} (the nearest name)` : `one of ${[...new Set(stacks)].join(', ')}`,
    next: `repeat the command with --stack ${near ?? 'production'}`,
    exitCode: 2,
  })
}
