import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { dashboard, gauges, orNone, orZero, pages, promqlNow, promqlTable, stat, table, thresholds } from './common.ts'

// A student's lab sends its progress when something is checked, and then is silent: the last that was heard of it counts.
const last = (metric: string): string => `last_over_time(lab_class_${metric}[6h])`

const silent = `time() - ${last('seen_timestamp_seconds')}`

/** Keeps what belongs to the task that a student is at, of those heard of in the last half hour: the others are away, not stuck. */
const present = (expr: string): string => `(${expr} and ${last('task_state')} == 1 and on(student) ${silent} < 1800)`

const minutesAtIt = present(`(time() - ${last('task_reached_timestamp_seconds')}) / 60`)
const triesAtIt = present(last('task_tries'))

const nobody =
  'Nobody sends progress. A class begins with `./lab class open`, and with `./lab class join` on each student’s machine.'

/** For the teacher: who is where, and who is stuck. Empty in a lab that no class reports to. */
export const classroom = (): Dashboard =>
  dashboard({
    page: pages.class,
    description:
      'For a teacher: the progress of exercises, sent by the labs of students who have joined with `lab class join`. What was heard last of each in six hours counts, so a machine may go away and come back.',
    rows: [
      {
        title: 'The class',
        panels: [
          stat(
            {
              title: 'Students',
              description: 'Labs that have sent progress in the last six hours, by the name that they go under.',
              unit: 'short',
              empty: nobody,
              width: 6,
              height: 4,
            },
            promqlNow(orZero(`count(count by (student) (${last('seen_timestamp_seconds')}))`), 'students'),
          ),
          stat(
            {
              title: 'Active',
              description:
                'Students who have checked or answered something in the last ten minutes. The others read, think, or have left.',
              unit: 'short',
              empty: nobody,
              width: 6,
              height: 4,
            },
            promqlNow(orZero(`count(count by (student) (${silent} < 600))`), 'students'),
          ),
          stat(
            {
              title: 'Stuck',
              description:
                'Students with three failed tries or more at the task that they are at, or more than a quarter of an hour at it. Whoever was not heard of for half an hour is away, and not counted. Below stands who and where.',
              unit: 'short',
              empty: nobody,
              width: 6,
              height: 4,
            },
            promqlNow(orZero(`count(count by (student) (${triesAtIt} >= 3 or ${minutesAtIt} > 15))`), 'students'),
          ).thresholds(thresholds({ value: 1, color: 'orange' })),
          stat(
            {
              title: 'Exercises finished',
              description:
                'Over all students: exercises of which every task is done, by the student or shown by the lab.',
              unit: 'short',
              empty: nobody,
              width: 6,
              height: 4,
            },
            promqlNow(orZero(`count(min by (student, exercise) (${last('task_state')}) >= 2)`), 'exercises'),
          ),
        ],
      },
      {
        title: 'Who is where',
        panels: [
          table(
            {
              title: 'Minutes at the present task',
              description:
                'The task that each student is at, and for how many minutes. Longest first: that is where to go. Whoever has finished the exercise, or was not heard of for half an hour, is not listed.',
              unit: 'short',
              empty: nobody,
              width: 9,
              height: 12,
            },
            promqlTable(orNone(`sum by (student, exercise, task) (round(${minutesAtIt}))`, 'student', 'nobody')),
            { student: 'Student', exercise: 'Exercise', task: 'Task' },
            'Minutes',
          ),
          table(
            {
              title: 'Failed tries at the present task',
              description:
                'How often each student’s check of the present task has failed. Three or more is a sign that hints alone do not help. Whoever was not heard of for half an hour is not listed.',
              unit: 'short',
              empty: nobody,
              width: 9,
              height: 12,
            },
            promqlTable(orNone(`sum by (student, exercise, task) (${triesAtIt})`, 'student', 'nobody')),
            { student: 'Student', exercise: 'Exercise', task: 'Task' },
            'Tries',
          ),
          table(
            {
              title: 'Last heard of',
              description:
                'For how many minutes each student’s lab has sent nothing. It sends with each check, answer and hint. A few minutes are thought; half an hour is a pause, or a machine that has gone.',
              unit: 'short',
              empty: nobody,
              width: 6,
              height: 12,
            },
            promqlTable(orNone(`max by (student) (round((${silent}) / 60))`, 'student', 'nobody')),
            { student: 'Student' },
            'Minutes ago',
          ),
        ],
      },
      {
        title: 'How far',
        panels: [
          gauges(
            {
              title: 'Points',
              description:
                'Points of each student, of those of the exercises that he or she has started. What the lab solved gives none.',
              unit: 'percentunit',
              empty: nobody,
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
              title: 'Tasks by failed tries',
              description:
                'Failed tries of each task, over all students: what stands first is what the class should hear about together, or what the text explains badly.',
              unit: 'short',
              empty: nobody,
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
