import type { Command } from 'commander'
import { kubeArgs } from '../cluster/kubectl.ts'
import { loadRunningLab } from '../context/context.ts'
import { addPassThrough, runOnTerminal } from '../terminal/pass-through.ts'

export const register = (program: Command): void =>
  addPassThrough(program, {
    name: 'kubectl',
    description: "Run kubectl on the lab's cluster",
    example: './lab kubectl get pods -A',
    run: async args => {
      const { settings, env } = await loadRunningLab()
      return runOnTerminal('kubectl', [...kubeArgs(settings), ...args], { env })
    },
  })
