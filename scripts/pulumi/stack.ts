import { accessSync, constants, existsSync } from 'node:fs'
import { execa } from 'execa'
import { LabError } from '../../shared/lab-error.ts'
import { stackName } from '../../shared/names.ts'
import { projectDir } from '../../shared/paths.ts'
import { forgetSalt, stackExists } from './state.ts'

/** Makes the stack where there is none, so that `lab up` and plain `pulumi up` find the same. @throws LabError when Pulumi cannot. */
export async function ensureStack(env: Record<string, string>): Promise<void> {
  if (stackExists() && existsSync(env.PULUMI_CONFIG_PASSPHRASE_FILE!)) return
  requireWritable()
  // One from a state that was removed would not fit the new passphrase.
  forgetSalt()
  const result = await execa('pulumi', ['stack', 'init', stackName, '--non-interactive'], {
    cwd: projectDir,
    env,
    reject: false,
    all: true,
  })
  if (result.failed && !/already exists/.test(result.all))
    throw new LabError({
      found: `pulumi stack init failed: ${result.all.trim().split('\n').at(-1)}`,
      expected: 'a stack in .lab/state',
      next: './lab doctor',
    })
}

/** Pulumi notes in the stack's settings file how its secrets are kept. */
function requireWritable(): void {
  try {
    accessSync(projectDir, constants.W_OK)
  } catch {
    throw new LabError({
      found: `${projectDir} may not be written to`,
      expected: 'a checkout of your own: Pulumi keeps a line in its settings file',
      next: `git clone ${JSON.stringify(projectDir)} ~/tetragon-lab && cd ~/tetragon-lab && ./lab up`,
    })
  }
}
