import type { Command } from 'commander'
import { addPassThrough } from '../terminal/pass-through.ts'
import { runTetra } from '../tetragon/tetra.ts'

export const register = (program: Command): void =>
  addPassThrough(program, {
    name: 'tetra',
    description: "Run Tetragon's own command line on the lab's agent, or on the replayed events",
    example: './lab tetra getevents -o compact --pods visitor',
    run: runTetra,
  })
