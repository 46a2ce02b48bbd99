import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { buildDashboard } from './builders/dashboard.ts'
import { pages } from './builders/pages.ts'
import { barGauges, stat, thresholds } from './builders/panels.ts'
import { orZero, promqlNow, promqlTable } from './builders/queries.ts'
import { table } from './builders/tables.ts'

// A student's lab sends its progress when a task is checked and is silent in between, so the last value counts.
const last = (metric: string): string => `last_over_time(lab_class_${metric}[6h])`

const secondsSilent = `time() - ${last('seen_timestamp_seconds')}`
const isCurrent = `${last('task_state')} == 1`

/** Keeps the values of students heard from in the last 30 minutes. The others are away, not stuck. */
const ofPresent = (expr: string): string => `(${expr} and on(student) ${secondsSilent} < 1800)`

const reached = last('task_reached_timestamp_seconds')
const triesAtTask = `(${last('task_tries')} and ${isCurrent})`
const minutesOfPresent = ofPresent(`((time() - ${reached}) / 60 and ${isCurrent})`)
/** Of a student who is away, the minutes until the last report count. */
const minutesAtTask = `${minutesOfPresent} or ((${last('seen_timestamp_seconds')} - on(student) group_right() ${reached}) / 60 and ${isCurrent})`

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
                'Students with 3 or more failed attempts at their current task, or more than 15 minutes on it. Students without a report for 30 minutes are away and do not count. The table below shows who and where.',
              unit: 'short',
              empty: noStudents,
              width: 6,
              height: 4,
            },
            promqlNow(
              orZero(`count(count by (student) (${ofPresent(triesAtTask)} >= 3 or ${minutesOfPresent} > 15))`),
              'students',
            ),
          ).thresholds(thresholds({ value: 1, color: 'amber' })),
          stat(
            {
              title: 'Exercises done',
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
        title: 'Students and their tasks',
        panels: [
          table(
            {
              title: 'Where each student is',
              description:
                'One row per student, the longest at one task first: the current task, the minutes at it, how often its check has failed, and the last report. With 3 or more failed tries, the hints alone are probably not enough. A student without a task has finished the exercise. After 30 minutes without a report a student is away, and the minutes stop.',
              unit: 'short',
              empty: noStudents,
              width: 24,
              height: 12,
            },
            { student: 'Student', exercise: 'Exercise', task: 'Task' },
            {
              heading: 'Minutes',
              query: promqlTable(`sum by (student, exercise, task) (round(${minutesAtTask}))`),
            },
            { heading: 'Failed tries', query: promqlTable(`sum by (student, exercise, task) (${triesAtTask})`) },
            {
              heading: 'Last seen',
              query: promqlTable(`max by (student) (round((${secondsSilent}) / 60))`),
              unit: 'suffix: min ago',
            },
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
              `sum by (student) (${last('points')}) / sum by (student) (${last('points_possible')})`,
              '{{student}}',
            ),
          ).max(1),
          table(
            {
              title: 'Failed attempts by task',
              description:
                'Failed attempts at each task, over all students. The first is worth explaining to the whole class, or its text needs work.',
              unit: 'short',
              empty: noStudents,
              height: 12,
            },
            { exercise: 'Exercise', task: 'Task' },
            { heading: 'Tries', query: promqlTable(`topk(20, sum by (exercise, task) (${last('task_tries')}))`) },
          ),
        ],
      },
    ],
  })
