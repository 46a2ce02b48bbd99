import type { Command } from 'commander'
import { loadContext } from '../context.ts'
import { kubeArgs } from '../kube.ts'
import { onTerminal, through } from '../through.ts'

export const register = (program: Command): void =>
  through(program, {
    name: 'kubectl',
    description: "run kubectl on the lab's cluster",
    example: './lab kubectl get pods -A',
    run: async args => {
      const { settings } = await loadContext()
      return onTerminal('kubectl', [...kubeArgs(settings), ...args])
    },
  })
