import type { Command } from 'commander'
import { kubeArgs } from '../cluster/kubectl.ts'
import { loadContext } from '../context/context.ts'
import { onTerminal, through } from '../terminal/pass-through.ts'

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
