import type { Command } from 'commander'
import { projectDir } from '../../stacks/paths.ts'
import { loadContext } from '../context.ts'
import { ensureStack } from '../pulumi/stack.ts'
import { onTerminal, through } from '../through.ts'

export const register = (program: Command): void =>
  through(program, {
    name: 'pulumi',
    description: "run Pulumi on the lab's stack",
    example: './lab pulumi config set --path tetragon-lab:traffic.rate 20',
    run: async args => {
      const { env } = await loadContext()
      await ensureStack(env)
      return onTerminal('pulumi', args, { env, cwd: projectDir })
    },
  })
