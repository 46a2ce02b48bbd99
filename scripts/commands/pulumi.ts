import type { Command } from 'commander'
import { readLock } from '../../shared/lock.ts'
import { projectDir } from '../../shared/paths.ts'
import { readClusterTarget } from '../../shared/settings/stack-file.ts'
import { allPrograms, labEnvironment } from '../context/environment.ts'
import { prepareKubeconfig } from '../context/kubeconfig.ts'
import { ensureStack } from '../pulumi/stack.ts'
import { addPassThrough, runOnTerminal } from '../terminal/pass-through.ts'

/** Commands that read and write settings and state only. */
const withoutCluster = ['config', 'stack', 'about', 'version', 'help']

export const register = (program: Command): void =>
  addPassThrough(program, {
    name: 'pulumi',
    description: "Run Pulumi on the lab's stack",
    example: './lab pulumi config set --path tetragon-lab:traffic.rate 20',
    run: async args => {
      // Settings are not checked, because this command corrects wrong ones.
      const command = args.find(word => !word.startsWith('-')) ?? 'help'
      const env = await labEnvironment(readLock(), withoutCluster.includes(command) ? ['pulumi'] : allPrograms)
      if (!withoutCluster.includes(command)) await prepareKubeconfig(readClusterTarget(), env)
      await ensureStack(env)
      return runOnTerminal('pulumi', args, { env, cwd: projectDir })
    },
  })
