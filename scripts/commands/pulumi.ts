import type { Command } from 'commander'
import { readLock } from '../../shared/lock.ts'
import { projectDir } from '../../shared/paths.ts'
import { readTarget } from '../../shared/settings/stack-file.ts'
import { labEnvironment } from '../context/environment.ts'
import { ensureStack } from '../pulumi/stack.ts'
import { onTerminal, through } from '../terminal/pass-through.ts'

export const register = (program: Command): void =>
  through(program, {
    name: 'pulumi',
    description: "run Pulumi on the lab's stack",
    example: './lab pulumi config set --path tetragon-lab:traffic.rate 20',
    run: async args => {
      // Settings are not checked: it is by this command that a wrong one is mended.
      const env = await labEnvironment(readLock(), readTarget().mode)
      process.env.PATH = env.PATH
      await ensureStack(env)
      return onTerminal('pulumi', args, { env, cwd: projectDir })
    },
  })
