import { execa } from 'execa'
import { expect, it } from 'vitest'
import { checkTask } from '../../../../scripts/exercise/check/check-task.ts'
import { findExercise } from '../../../../scripts/exercise/definition/exercises.ts'
import { fakeLabClient } from '../../../fakes/lab-client.ts'

// The dead end of exercise 13 in which the student has deleted the shipper's pod. The command is the exercise's own,
// with a fake kubectl that lists a pod.

/** Returns the dead end that is recognized 60 s after the start of the exercise. */
async function deadEndWith(pod: string): Promise<string | undefined> {
  const lab = {
    ...fakeLabClient({ kubectl: () => ({ stdout: '1' }) }),
    run: async (command: string) => {
      const kubectl = `kubectl() { echo 'opentelemetry-collector-agent-x7k2p 1/1 ${pod}'; }`
      const { exitCode = 1, stdout, stderr } = await execa('bash', ['-c', `${kubectl}; ${command}`])
      return { exitCode, stdout, stderr }
    },
  }
  const { deadEnd } = await checkTask(
    findExercise('13').tasks.find(({ id }) => id === 'away')!,
    { lab, work: '/nowhere', workPath: 'work/x', startedAt: new Date(Date.now() - 60_000) },
    { once: true },
  )
  return deadEnd?.id
}

it('recognizes a pod that is younger than the exercise, but not one from `lab up` a minute earlier', async () => {
  expect(await deadEndWith('Running 0 4s')).toBe('deleted-pod')
  expect(await deadEndWith('Running 0 90s')).toBeUndefined()
  expect(await deadEndWith('Running 0 2m4s')).toBeUndefined()
  expect(await deadEndWith('Terminating 0 4s')).toBeUndefined()
})
