import { z } from 'zod'
import { featureNames } from '../../kernel/features.ts'
import { checkSchema, duration } from './check-schema.ts'
import { emptyClusterProblem } from './empty-cluster.ts'

// The schema of exercise.yaml. labs/exercise.schema.json, which editors use to complete and explain, is generated from
// it. The guide for authors is docs/writing-exercises.md.

/** The tracks in their order. */
export const tracks = ['see', 'stop', 'run'] as const

const text = z.string().min(1)

const id = z.string().regex(/^[a-z][a-z0-9-]*$/, 'lower-case letters, digits and dashes')

const needs = z.strictObject({
  source: z
    .enum(['any', 'live', 'replay'])
    .default('any')
    .describe('Where events must come from: `live` when the kernel must act, `any` when a recording is enough.'),
  features: z.array(z.enum(featureNames)).default([]).describe('Kernel features that are required.'),
  settings: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
    .default({})
    .describe('Settings of the lab that are required: `traffic.enabled: true`.'),
})

const solutionCheck = checkSchema.superRefine((value, context) => {
  const reason = emptyClusterProblem(value)
  if (reason) context.addIssue({ code: 'custom', message: `it could pass in an empty cluster: ${reason}` })
  if (value.kube && (value.kube.jsonpath === undefined) !== (value.kube.is === undefined))
    context.addIssue({ code: 'custom', message: '`jsonpath` and `is` must be used together', path: ['kube'] })
})

const deadEnd = z
  .strictObject({
    id,
    when: checkSchema.describe('How the dead end is recognized: a check that passes when the student is in it.'),
    says: text.describe('What went wrong, and how to go on.'),
    try: text.optional().describe('Shell commands that lead into the dead end, so that the test can check it.'),
  })
  .describe('A plausible wrong solution.')

const recording = z
  .strictObject({
    transcript: text
      .optional()
      .describe(
        'Section of transcript.txt, such as `enforce`, with the commands that `run` runs in a Pod, as `$ COMMAND`.',
      ),
    agent: text.optional().describe('File of the recording with the agent’s list of policies.'),
    as: z
      .record(text, text)
      .default({})
      .describe(
        'Policies of that list that stand in for others: the name that the check expects, and the recorded name.',
      ),
  })
  .refine(({ transcript, agent }) => transcript !== undefined || agent !== undefined, 'a transcript or an agent')

const recorded = z
  .strictObject({
    before: recording.optional().describe('Recorded before the task was done: the check must fail.'),
    after: recording.optional().describe('Recorded after the task was done: the check must pass.'),
    missing: text
      .optional()
      .describe('Why there is no recording. The test then skips this part and prints the reason.'),
  })
  .refine(
    ({ before, after, missing }) => (missing === undefined ? before && after : !(before ?? after)),
    'before and after, or missing alone',
  )

const task = z.strictObject({
  id,
  title: text.describe('What to do or to find out: one sentence to the student.'),
  points: z.int().min(1).max(20).default(1),
  needs: needs
    .optional()
    .describe('What this task needs beyond the needs of the exercise. Without it, the task is left out.'),
  check: solutionCheck,
  expected: text
    .optional()
    .describe('What was expected, in words, when the check fails. It must not give the answer away.'),
  within: duration
    .optional()
    .describe(
      'How long the check is repeated, because a result can take a while to arrive. In `all`, `kube` and `policy` keep their own shorter time. Default: as the kind of check needs.',
    ),
  hints: z.array(text).min(1).describe('One more with each failed try. The last one nearly gives the solution.'),
  deadEnds: z.array(deadEnd).default([]),
  solve: text.describe('Shell commands that do the task, run in the project’s folder. $WORK is the student’s folder.'),
  recorded: recorded
    .optional()
    .describe('Recorded results for `run` and `agent`, used by the test when nothing is live.'),
})

/** The schema of exercise.yaml. */
export const exerciseSchema = z
  .strictObject({
    title: text,
    track: z.enum(tracks),
    outcome: text.describe('One sentence: what students can do afterwards.'),
    learned: z.array(text).min(1).describe('What students know afterwards.'),
    minutes: z.int().min(2).max(90),
    needs: needs.prefault({}),
    setup: text
      .optional()
      .describe('Shell commands that run before the exercise and again after a reset, so they must be repeatable.'),
    reset: text
      .optional()
      .describe(
        'Shell commands that undo the exercise’s changes to the cluster. They must be repeatable, quick, and harmless when there is nothing to undo.',
      ),
    tasks: z.array(task).min(1),
  })
  .superRefine(({ tasks }, context) => {
    for (const [index, { id }] of tasks.entries())
      if (tasks.findIndex(other => other.id === id) !== index)
        context.addIssue({ code: 'custom', message: `another task is called ${id}`, path: ['tasks', index, 'id'] })
  })

export type Needs = z.infer<typeof needs>
export type Task = z.infer<typeof task>
export type DeadEnd = z.infer<typeof deadEnd>
export type Recording = z.infer<typeof recording>
export type ExerciseFile = z.infer<typeof exerciseSchema>
export type Track = (typeof tracks)[number]
