import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished, vi } from 'vitest'
import type { LabClient } from '../../scripts/exercise/check/lab-client.ts'
import type { Capabilities } from '../../scripts/exercise/definition/capabilities.ts'
import { type Exercise, readExercise } from '../../scripts/exercise/definition/exercises.ts'
import { exerciseFolders, type Folders } from '../../scripts/exercise/definition/folders.ts'
import type { Session } from '../../scripts/exercise/session/session.ts'
import { noFeatures } from '../../scripts/kernel/features.ts'
import { parseSettings } from '../../shared/settings/parser.ts'
import { fakeLabClient } from './lab-client.ts'

/** Creates folders for one test. Sets LAB_DIR, where files of the lab itself go, for its duration. */
export function temporaryFolders(): Folders & { root: string } {
  const root = mkdtempSync(join(tmpdir(), 'lab-exercise-'))
  vi.stubEnv('LAB_DIR', join(root, '.lab'))
  onTestFinished(() => {
    rmSync(root, { recursive: true, force: true })
    vi.unstubAllEnvs()
  })
  for (const name of ['.lab', 'labs']) mkdirSync(join(root, name))
  return { ...exerciseFolders({ LAB_LABS: join(root, 'labs'), LAB_WORK: join(root, 'work') }), root }
}

/** The capabilities of a lab that replays a recording. */
export const replayCapabilities: Capabilities = {
  source: 'replay',
  why: 'the kernel has no BTF',
  features: { ...noFeatures, btf: true },
  settings: parseSettings({}),
}

/** Writes an exercise. @param keys keys of exercise.yaml besides the tasks. */
export function writeExercise({ labs }: Folders, name: string, tasks: string, readme: string, keys = ''): Exercise {
  mkdirSync(join(labs, name), { recursive: true })
  writeFileSync(
    join(labs, name, 'exercise.yaml'),
    `title: Unit test\ntrack: stop\noutcome: You can test.\nlearned: [testing]\nminutes: 5\n${keys}\ntasks:\n${tasks}`,
  )
  writeFileSync(join(labs, name, 'README.md'), readme)
  return readExercise(name, labs)
}

/** Returns a session in a fake lab. */
export const sessionOf = (
  exercise: Exercise,
  folders: Folders,
  { lab = fakeLabClient(), ...rest }: { lab?: LabClient } & Partial<Session> = {},
): Session => ({
  exercise,
  capabilities: replayCapabilities,
  folders,
  solving: false,
  connect: async () => lab,
  ...rest,
})
