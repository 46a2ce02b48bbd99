import { expect } from 'vitest'
import {
  downRemovesAll,
  errorOf,
  faultTest,
  forgetImages,
  lab,
  runAndInterfere,
  runningLabPid,
  type Stage,
  startLab,
  upRepairs,
  withoutLabel,
} from './support/test-lab.ts'

// Ctrl-C and kill -9 at every stage of `up` and `down`. `up` and `down` take turns to recover.

const stages: Stage[] = [
  'checks the machine',
  'starts Pulumi',
  'boots the node',
  'loads images',
  'installs releases',
  'waits for data',
]

export function interruptedFaults(): void {
  for (const [index, stage] of stages.entries()) {
    faultTest(`Ctrl-C while up ${stage}`, async notes => {
      if (stage === 'loads images') await forgetImages()
      notes.message = errorOf(await runAndInterfere('up', stage, () => void process.kill(runningLabPid(), 'SIGINT')))
      expect(notes.message).toBe('`lab up` was interrupted')
      notes.recovery = index % 2 ? await upRepairs() : await downRemovesAll()
      if (index % 2) await downRemovesAll()
    })
    faultTest(`kill -9 while up ${stage}`, async notes => {
      if (stage === 'loads images') await forgetImages()
      const { exitCode } = await runAndInterfere('up', stage, () => void process.kill(runningLabPid(), 'SIGKILL'))
      expect(exitCode).not.toBe(0)
      notes.message = 'Killed, from the shell'
      notes.recovery = index % 2 ? await downRemovesAll() : await upRepairs()
      if (index % 2 === 0) await downRemovesAll()
    })
  }

  for (const signal of ['SIGINT', 'SIGKILL'] as const)
    faultTest(`${signal === 'SIGINT' ? 'Ctrl-C' : 'kill -9'} while down removes the node`, async notes => {
      await startLab()
      const { stderr } = await runAndInterfere(
        'down',
        'removes the node',
        () => void process.kill(runningLabPid(), signal),
      )
      notes.message = withoutLabel(stderr.trim().split('\n')[0]!) || 'Killed, from the shell'
      notes.recovery = signal === 'SIGINT' ? await downRemovesAll() : await upRepairs()
    })

  faultTest('two up at once', async notes => {
    await downRemovesAll()
    let second!: Awaited<ReturnType<typeof lab>>
    const first = await runAndInterfere('up', 'boots the node', async () => {
      second = await lab('up', '--json')
    })
    notes.message = errorOf(second)
    expect(notes.message).toMatch(/`lab up` has been running/)
    expect(first.exitCode, first.stderr).toBe(0)
    notes.recovery = `the first continues; ${await upRepairs()}`
  })
}
