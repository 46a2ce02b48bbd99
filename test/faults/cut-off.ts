import { expect } from 'vitest'
import {
  downMends,
  during,
  fault,
  lab,
  refusal,
  type Stage,
  standing,
  upMends,
  withoutHead,
  workingLab,
} from './support/world.ts'

// Ctrl-C and kill -9 at every stage of `up` and `down`; every second time `up` mends it, every other time `down`.

const stages: Stage[] = [
  'looks at the machine',
  'starts Pulumi',
  'boots the node',
  'loads images',
  'installs releases',
  'waits for data',
]

export function cutOffFaults(): void {
  for (const [index, stage] of stages.entries()) {
    fault(`Ctrl-C while up ${stage}`, async notes => {
      notes.saw = refusal(await during('up', stage, () => void process.kill(workingLab(), 'SIGINT')))
      expect(notes.saw).toBe('`lab up` was interrupted')
      notes.next = index % 2 ? await upMends() : await downMends()
      if (index % 2) await downMends()
    })
    fault(`kill -9 while up ${stage}`, async notes => {
      const { exitCode } = await during('up', stage, () => void process.kill(workingLab(), 'SIGKILL'))
      expect(exitCode).not.toBe(0)
      notes.saw = 'Killed, by the shell'
      notes.next = index % 2 ? await downMends() : await upMends()
      if (index % 2 === 0) await downMends()
    })
  }

  for (const signal of ['SIGINT', 'SIGKILL'] as const)
    fault(`${signal === 'SIGINT' ? 'Ctrl-C' : 'kill -9'} while down removes the node`, async notes => {
      await standing()
      const { stderr } = await during('down', 'removes the node', () => void process.kill(workingLab(), signal))
      notes.saw = withoutHead(stderr.trim().split('\n')[0]!) || 'Killed, by the shell'
      notes.next = signal === 'SIGINT' ? await downMends() : await upMends()
    })

  fault('two up at once', async notes => {
    await downMends()
    let second!: Awaited<ReturnType<typeof lab>>
    const first = await during('up', 'boots the node', async () => {
      second = await lab('up', '--json')
    })
    notes.saw = refusal(second)
    expect(notes.saw).toMatch(/`lab up` has been running/)
    expect(first.exitCode, first.stderr).toBe(0)
    notes.next = `the first goes on; ${await upMends()}`
  })
}
