import { accessSync, constants, existsSync } from 'node:fs'
import { execa } from 'execa'
import { LabError } from '../../shared/lab-error.ts'
import { projectDir } from '../../shared/paths.ts'
import { stackName } from '../../shared/stack.ts'
import { removeSalt } from './salt.ts'
import { stackExists } from './state.ts'

/**
 * Creates the stack if it does not exist, for `lab up` and for plain `pulumi up`.
 * @throws LabError when Pulumi cannot.
 */
export async function ensureStack(env: Readonly<Record<string, string>>): Promise<void> {
  if (stackExists() && existsSync(env.PULUMI_CONFIG_PASSPHRASE_FILE!)) return
  requireWritableCheckout()
  // The salt of a deleted state does not fit the new passphrase.
  removeSalt()
  const result = await execa('pulumi', ['stack', 'init', stackName(), '--non-interactive'], {
    cwd: projectDir,
    env,
    reject: false,
    all: true,
  })
  if (result.failed && !/already exists/.test(result.all))
    throw new LabError({
      found: `pulumi stack init failed: ${result.all.trim().split('\n').at(-1)}`,
      next: './lab doctor',
    })
}

/** Pulumi writes the salt of its secrets into the stack's settings file. */
function requireWritableCheckout(): void {
  try {
    accessSync(projectDir, constants.W_OK)
  } catch {
    throw new LabError({
      found: `The folder ${projectDir} is read-only`,
      expected: 'your own copy of the repository, because Pulumi writes to its settings file',
      next: `git clone ${JSON.stringify(projectDir)} ~/tetragon-lab && cd ~/tetragon-lab && ./lab up`,
    })
  }
}
