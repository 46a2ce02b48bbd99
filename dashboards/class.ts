import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { buildDashboard } from './dashboard.ts'
import { pages } from './pages.ts'
import { barGauges, stat, table, thresholds } from './panels.ts'
import { orNone, orZero, promqlNow, promqlTable } from './queries.ts'

// A student's lab sends its progress when a task is checked and is silent in between, so the last value counts.
const last = (metric: string): string => `last_over_time(lab_class_${metric}[6h])`

const secondsSilent = `time() - ${last('seen_timestamp_seconds')}`

/** Keeps the values of current tasks, of students heard from in the last 30 minutes. The others are away, not stuck. */
const ofCurrentTasks = (expr: string): string =>
  `(${expr} and ${last('task_state')} == 1 and on(student) ${secondsSilent} < 1800)`

const minutesOnTask = ofCurrentTasks(`(time() - ${last('task_reached_timestamp_seconds')}) / 60`)
const failedAttempts = ofCurrentTasks(last('task_tries'))

const noStudents =
  'No student sends progress. Start a class with `./lab class open`, and run `./lab class join` on each student’s machine.'

/**
 * Builds the teacher's dashboard: where each student is, and who is stuck. Empty unless a class reports to this lab.
 */
export const classroom = (): Dashboard =>
  buildDashboard({
    page: pages.class,
    description:
      'For a teacher: the progress of students who joined with `lab class join`. The last report of each student within 6 hours counts, so a machine can disconnect and come back.',
    rows: [
      {
        title: 'The class',
        panels: [
          stat(
            {
              title: 'Students',
              description: 'Students whose labs have sent progress in the last 6 hours.',
              unit: 'short',
              empty: noStudents,
              width: 6,
              height: 4,
            },
            promqlNow(orZero(`count(count by (student) (${last('seen_timestamp_seconds')}))`), 'students'),
          ),
          stat(
            {
              title: 'Active',
              description:
                'Students who have checked or answered a task in the last 10 minutes. The others are reading, thinking, or have left.',
              unit: 'short',
              empty: noStudents,
              width: 6,
              height: 4,
            },
            promqlNow(orZero(`count(count by (student) (${secondsSilent} < 600))`), 'students'),
          ),
          stat(
            {
              title: 'Stuck',
              description:
                'Students with 3 or more failed attempts at their current task, or more than 15 minutes on it. Students without a report for 30 minutes are away and do not count. The tables below show who and where.',
              unit: 'short',
              empty: noStudents,
              width: 6,
              height: 4,
            },
            promqlNow(
              orZero(`count(count by (student) (${failedAttempts} >= 3 or ${minutesOnTask} > 15))`),
              'students',
            ),
          ).thresholds(thresholds({ value: 1, color: 'orange' })),
          stat(
            {
              title: 'Exercises finished',
              description:
                'Exercises in which every task is done, by the student or by `lab exercise solve`, over all students.',
              unit: 'short',
              empty: noStudents,
              width: 6,
              height: 4,
            },
            promqlNow(orZero(`count(min by (student, exercise) (${last('task_state')}) >= 2)`), 'exercises'),
          ),
        ],
      },
      {
        title: 'Current tasks',
        panels: [
          table(
            {
              title: 'Minutes on the current task',
              description:
                'The current task of each student, and for how many minutes, longest first. Students who have finished the exercise, or without a report for 30 minutes, are not listed.',
              unit: 'short',
              empty: noStudents,
              width: 9,
              height: 12,
            },
            promqlTable(orNone(`sum by (student, exercise, task) (round(${minutesOnTask}))`, 'student', 'nobody')),
            { student: 'Student', exercise: 'Exercise', task: 'Task' },
            'Minutes',
          ),
          table(
            {
              title: 'Failed attempts at the current task',
              description:
                'How often the check of each student’s current task has failed. With 3 or more, the hints alone are probably not enough. Students without a report for 30 minutes are not listed.',
              unit: 'short',
              empty: noStudents,
              width: 9,
              height: 12,
            },
            promqlTable(orNone(`sum by (student, exercise, task) (${failedAttempts})`, 'student', 'nobody')),
            { student: 'Student', exercise: 'Exercise', task: 'Task' },
            'Tries',
          ),
          table(
            {
              title: 'Last report',
              description:
                'Minutes since each student’s lab last sent progress, which it does with each check, answer and hint. A few minutes are time to think; 30 minutes are a break, or a machine that is off.',
              unit: 'short',
              empty: noStudents,
              width: 6,
              height: 12,
            },
            promqlTable(orNone(`max by (student) (round((${secondsSilent}) / 60))`, 'student', 'nobody')),
            { student: 'Student' },
            'Minutes ago',
          ),
        ],
      },
      {
        title: 'Progress',
        panels: [
          barGauges(
            {
              title: 'Points',
              description:
                'Points of each student, as a share of the exercises that the student has started. Tasks that the lab solved give none.',
              unit: 'percentunit',
              empty: noStudents,
              height: 12,
            },
            promqlNow(
              orNone(
                `sum by (student) (${last('points')}) / sum by (student) (${last('points_possible')})`,
                'student',
                'nobody',
              ),
              '{{student}}',
            ),
          ),
          table(
            {
              title: 'Failed attempts by task',
              description:
                'Failed attempts at each task, over all students. The first is worth explaining to the whole class, or its text needs work.',
              unit: 'short',
              empty: noStudents,
              height: 12,
            },
            promqlTable(orNone(`topk(20, sum by (exercise, task) (${last('task_tries')}))`, 'exercise', 'none')),
            { exercise: 'Exercise', task: 'Task' },
            'Tries',
          ),
        ],
      },
    ],
  })
