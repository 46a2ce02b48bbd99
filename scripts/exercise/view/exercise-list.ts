import { colors } from '../../terminal/colors.ts'
import { print } from '../../terminal/output.ts'
import { type Capabilities, doableTasks, groupByReason, shortReason } from '../definition/capabilities.ts'
import type { Exercise } from '../definition/exercises.ts'
import { tracks } from '../definition/schema.ts'
import { exerciseState } from '../session/exercise-state.ts'
import type { Progress } from '../session/progress.ts'
import { paragraph } from './paragraph.ts'
import { trackTitles } from './progress-report.ts'

/** An exercise in `lab exercise list`. */
export type ListedExercise = ReturnType<typeof listedExercise>

/** Returns an exercise with the student's progress and with what cannot be done here. */
export function listedExercise(exercise: Exercise, capabilities: Capabilities, progress: Progress) {
  const { name, title, track, minutes, needs } = exercise
  const choice = doableTasks(exercise, capabilities)
  const left = groupByReason(choice.left)
  const { points, most, finished } = exerciseState(exercise, choice, progress.exercises[name])
  const runs = choice.tasks.length > 0
  return {
    name,
    title,
    track,
    minutes,
    needs,
    runs,
    ...(!runs && { why: left.map(({ why }) => why).join('; ') }),
    ...(left.length > 0 && { left }),
    started: progress.exercises[name] !== undefined,
    current: progress.current === name,
    finished,
    points,
    most,
  }
}

/** Prints the exercises by track. */
export function showExercises(exercises: ListedExercise[], capabilities: Capabilities): void {
  const nameWidth = Math.max(...exercises.map(({ name }) => name.length), 10)
  const titleWidth = Math.max(...exercises.map(({ title }) => title.length), 10)
  for (const track of tracks) {
    const ofTrack = exercises.filter(each => each.track === track)
    if (ofTrack.length === 0) continue
    print(`\n${colors.bold(trackTitles[track])}`)
    for (const each of ofTrack) {
      print(exerciseLine(each, nameWidth, titleWidth))
      const indent = nameWidth + 6
      for (const reason of reasons(each))
        print(`${' '.repeat(indent)}${colors.dim(paragraph(shortReason(reason, capabilities), { indent }))}`)
    }
  }
  if (capabilities.source === 'replay')
    print(colors.dim(`\n${paragraph(`This lab replays a recording: ${capabilities.why}.`)}`))
}

function exerciseLine(exercise: ListedExercise, nameWidth: number, titleWidth: number): string {
  const { name, title, minutes, runs, current, points, most } = exercise
  const text = `${name.padEnd(nameWidth)}  ${title.padEnd(titleWidth)}`
  const styled = !runs ? colors.dim(text) : current ? colors.bold(text) : text
  const score = runs ? `${points}/${most}`.padStart(5) : ''
  return `  ${markOf(exercise)} ${styled}  ${colors.dim(`${String(minutes).padStart(2)} min  ${score}`)}`
}

const markOf = ({ finished, runs, started }: ListedExercise): string =>
  finished ? colors.green('✔') : !runs ? colors.dim('–') : started ? colors.yellow('◐') : '○'

const reasons = ({ why, left = [] }: ListedExercise): string[] =>
  why ? [why] : left.map(({ tasks, why }) => `without ${tasks.join(', ')}: ${why}`)
