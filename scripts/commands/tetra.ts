import type { Command } from 'commander'
import { through } from '../terminal/pass-through.ts'
import { runTetra } from '../tetragon/tetra.ts'

export const register = (program: Command): void =>
  through(program, {
    name: 'tetra',
    description: "run Tetragon's own command on the lab's agent, or on the replayed events",
    example: './lab tetra getevents -o compact --pods visitor',
    run: runTetra,
  })
