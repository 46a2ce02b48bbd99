import type { CheckContext, CheckResult } from '../../scripts/exercise/check/check-context.ts'
import type { LabClient } from '../../scripts/exercise/check/lab-client.ts'
import { runCheck } from '../../scripts/exercise/check/run-check.ts'
import type { Check } from '../../scripts/exercise/definition/check-schema.ts'
import { exerciseSchema, type Task } from '../../scripts/exercise/definition/schema.ts'
import type { Sample } from '../../scripts/telemetry/query-response.ts'
import { type FakeLab, fakeLabClient } from './lab-client.ts'

export const startedAt = new Date('2026-11-21T10:00:00Z')
export const now = new Date('2026-11-21T10:10:00Z')

/** Returns what a check of the task `find` reads. */
export const contextOf = (lab: LabClient, more: Partial<CheckContext> = {}): CheckContext => ({
  lab,
  work: '/nowhere/work/01-x',
  workPath: 'work/01-x',
  task: 'find',
  startedAt,
  now,
  ...more,
})

/** Returns a task with the defaults of an exercise.yaml. */
export const taskOf = (task: object): Task =>
  exerciseSchema.parse({
    title: 'x',
    track: 'see',
    outcome: 'x',
    learned: ['x'],
    minutes: 5,
    tasks: [{ id: 'find', title: 'x', hints: ['one', 'two'], solve: 'true', ...task }],
  }).tasks[0]!

/** Returns a check with the defaults of an exercise.yaml. */
export const checkOf = (check: unknown): Check => taskOf({ check }).check

/** Runs a check in a fake lab. */
export const checkIn = (
  check: unknown,
  content: FakeLab = {},
  more: Partial<CheckContext> = {},
): Promise<CheckResult> => runCheck(checkOf(check), contextOf(fakeLabClient(content), more))

export const series = (value: number, labels: Record<string, string> = {}): Sample => ({ labels, value })
