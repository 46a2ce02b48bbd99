import { expect, it } from 'vitest'
import { doableTasks, unmetNeed } from '../../../../scripts/exercise/definition/capabilities.ts'
import { replayCapabilities, temporaryFolders, writeExercise } from '../../../fakes/exercise-session.ts'

it.each([
  [{}, undefined],
  [{ source: 'live' as const }, 'needs live Tetragon, but this lab replays a recording: the kernel has no BTF'],
  [{ source: 'replay' as const }, undefined],
  [{ features: ['btf' as const] }, undefined],
  [{ features: ['sigkill' as const, 'lsm' as const] }, /^the kernel lacks .+ and .+/],
  [{ settings: { 'traffic.enabled': true } }, undefined],
  [{ settings: { 'traffic.enabled': false } }, 'traffic.enabled is true, and must be false'],
])('with a replayed recording and BTF, the unmet need of %j is %s', (needs, why) => {
  const found = unmetNeed({ source: 'any', features: [], settings: {}, ...needs }, replayCapabilities)
  if (why === undefined) expect(found).toBeUndefined()
  else expect(found).toMatch(why)
})

it('leaves out the tasks whose needs are not met', () => {
  const task = (id: string, keys = ''): string =>
    `  - { id: ${id}, title: Do it, check: { kube: { get: pods } }, hints: [x], solve: "true"${keys} }\n`
  const exercise = writeExercise(
    temporaryFolders(),
    '01-x',
    task('one') + task('two', ', needs: { source: live }'),
    '> **Task one**: do it\n\n> **Task two**: do it\n',
  )
  const { tasks, left } = doableTasks(exercise, replayCapabilities)
  expect(tasks.map(({ id }) => id)).toEqual(['one'])
  expect(left).toMatchObject([{ task: { id: 'two' }, why: expect.stringContaining('live Tetragon') }])
})
