import { checkTask } from '../check/check-task.ts'
import type { LabClient } from '../check/lab-client.ts'
import { type Capabilities, unmetNeed } from '../definition/capabilities.ts'
import { type Check, kindOf, leafChecks } from '../definition/check-schema.ts'
import type { Task } from '../definition/schema.ts'
import { resetExercise, startExercise } from '../session/prepare.ts'
import { runCommands } from '../session/shell.ts'
import { describeRecording, runsInPod, withRecording } from './recorded-answers.ts'
import { expectDeadEnd, requireFailure, requirePass, type Walk, walkContext } from './walk-checks.ts'
import { StepFailure } from './walk-step.ts'

/**
 * Tests a task that cannot be done here. Its files and objects are real. The rest of its check reads recorded results,
 * from before the task was done and from after.
 * @param why it cannot be done here.
 */
export async function walkRecordedTask(walk: Walk, task: Task, why: string): Promise<void> {
  const { recorder } = walk
  const live = asLive(walk)
  const { exercise, capabilities } = live.session
  const needsMore = [exercise.needs, task.needs].some(needs => needs && unmetNeed(needs, capabilities) !== undefined)
  if (needsMore) return recorder.skip(task.id, why)
  if (await lacksRecording(walk, task, why)) return
  const ready = await recorder.run(`${task.id}: the tasks before it`, async () => {
    await startExercise(live.session)
    await redoEarlierTasks(live, task)
  })
  if (!ready) return
  await expectFailureBefore(live, task)
  const { missing } = task.recorded ?? {}
  if (missing !== undefined) return recorder.skip(`${task.id} on recorded data`, missing)
  await runLeniently(live, task.solve)
  await expectPassAfter(live, task)
  await tryRecordedDeadEnds(live, task)
}

/** Returns the walk with the capabilities of a lab that traces with every kernel feature. */
const asLive = (walk: Walk): Walk => ({
  ...walk,
  session: { ...walk.session, capabilities: withEverything(walk.session.capabilities) },
})

const withEverything = (capabilities: Capabilities): Capabilities => ({
  ...capabilities,
  source: 'live',
  features: Object.fromEntries(
    Object.keys(capabilities.features).map(name => [name, true]),
  ) as Capabilities['features'],
})

/** Records a failure when the check reads something that was not recorded. */
async function lacksRecording({ recorder }: Walk, { id, check, recorded }: Task, why: string): Promise<boolean> {
  if (recorded?.missing !== undefined) return false
  const needsPod = leafChecks(check).some(({ run }) => run && runsInPod(run.command))
  const lacking = [
    ...(kindsIn(check).includes('agent') && !recorded?.after?.agent ? ['the agent'] : []),
    ...(needsPod && !recorded?.after?.transcript ? ['a Pod'] : []),
  ]
  if (lacking.length === 0) return false
  await recorder.run(`${id} on recorded data`, () => {
    throw new StepFailure(`its check reads ${lacking.join(' and ')}, but exercise.yaml names no recording (${why})`)
  })
  return true
}

/** Returns every kind of check inside a check. */
function kindsIn(check: Check): (keyof Check)[] {
  const inner = [...(check.all ?? []), ...(check.any ?? []), ...(check.not ? [check.not] : [])]
  return inner.length > 0 ? inner.flatMap(kindsIn) : [kindOf(check)]
}

/** Returns the lab as it was before the task was done, without any events. */
const labBefore = ({ lab }: Walk, { recorded }: Task): LabClient => ({
  ...withRecording(lab, recorded?.before ?? { as: {} }),
  promql: async () => [],
  logql: async () => [],
})

async function expectFailureBefore(walk: Walk, task: Task): Promise<void> {
  const before = task.recorded?.before
  const data = before ? ` (${describeRecording(before)})` : ''
  await walk.recorder.run(`${task.id} fails before it is done${data}`, async () =>
    requireFailure(await checkOn(walk, task, labBefore(walk, task), { once: true })),
  )
}

async function expectPassAfter(walk: Walk, task: Task): Promise<void> {
  const after = task.recorded?.after
  const readsEvents = kindsIn(task.check).some(kind => kind === 'logql' || kind === 'promql' || kind === 'answer')
  const data = after ? describeRecording(after) : readsEvents ? 'the replayed events' : 'files and the API server'
  await walk.recorder.run(`${task.id} passes on recorded data (${data})`, async () =>
    requirePass(await checkOn(walk, task, after ? withRecording(walk.lab, after) : walk.lab)),
  )
}

async function tryRecordedDeadEnds(walk: Walk, task: Task): Promise<void> {
  for (const deadEnd of task.deadEnds) {
    const enter = async (commands: string): Promise<void> => {
      await redoEarlierTasks(walk, task)
      await runLeniently(walk, commands)
    }
    // Without an agent nothing stops a program in a Pod, and after most wrong solutions nothing would.
    const lab = { ...labBefore(walk, task), run: walk.lab.run }
    await expectDeadEnd(walk, task, deadEnd, enter, () => checkOn(walk, task, lab))
  }
}

async function checkOn(walk: Walk, task: Task, lab: LabClient, { once = false } = {}) {
  // The recording is replayed in about 90 s, so 15 minutes hold all of it.
  const startedAt = new Date(Date.now() - 15 * 60_000)
  const attempt = await checkTask(task, { ...walkContext(walk, task), startedAt, lab }, { once })
  if (attempt.unable) throw new StepFailure(attempt.found)
  return attempt
}

async function redoEarlierTasks(walk: Walk, task: Task): Promise<void> {
  const { exercise } = walk.session
  await resetExercise(walk.session)
  for (const each of exercise.tasks.slice(0, exercise.tasks.indexOf(task))) await runLeniently(walk, each.solve)
}

/** Runs commands of which some need what this lab does not have. */
const runLeniently = ({ session: { exercise, folders } }: Walk, commands: string): Promise<string> =>
  runCommands({ name: exercise.name, folders }, 'the solution', `${commands}\ntrue`, { lenient: true })
