import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LabError } from '../../../shared/lab-error.ts'
import { exerciseNames, labsFolder } from './exercises.ts'

/**
 * Makes the folder of a new exercise, which runs and passes its own test as it is.
 * @param name lower-case letters, digits and dashes, with or without a number in front.
 * @returns its name.
 * @throws LabError for a name that cannot be, or is taken.
 */
export function newExercise(name: string, folder = labsFolder()): string {
  if (!/^(\d{2}-)?[a-z][a-z0-9-]*$/.test(name))
    throw new LabError({
      found: `an exercise called ${name}`,
      expected: 'lower-case letters, digits and dashes, as in watch-a-shell',
      next: './lab exercise new watch-a-shell',
      exitCode: 2,
    })
  const names = exerciseNames(folder)
  const next = String(Math.max(0, ...names.map(each => Number.parseInt(each, 10) || 0)) + 1).padStart(2, '0')
  const full = /^\d{2}-/.test(name) ? name : `${next}-${name}`
  if (names.includes(full))
    throw new LabError({
      found: `there is labs/${full}`,
      expected: 'another name',
      next: './lab exercise list',
      exitCode: 2,
    })
  mkdirSync(join(folder, full), { recursive: true })
  writeFileSync(join(folder, full, 'exercise.yaml'), labYaml(titleOf(full)))
  writeFileSync(join(folder, full, 'README.md'), readme(titleOf(full)))
  return full
}

/** `03-watch-a-shell` is about to "Watch a shell". */
function titleOf(name: string): string {
  const words = name.replace(/^\d+-/, '').replaceAll('-', ' ')
  return words[0]!.toUpperCase() + words.slice(1)
}

const labYaml = (title: string): string => `# yaml-language-server: $schema=../exercise.schema.json
# What each key means: docs/writing-exercises.md
title: ${title}
track: see
outcome: You can tell which program of a pod opens the most connections.
learned:
  - A policy on tcp_connect yields one event a connection.
minutes: 5
needs:
  source: any
tasks:
  - id: program
    title: Which program in application opens the most connections?
    points: 1
    check:
      answer:
        from:
          logql: >-
            topk(1, sum by (process_executable_path) (count_over_time({service_name="tetragon",
            k8s_namespace_name="application", tetragon_policy_name="tcp-connect"}[15m])))
        label: process_executable_path
    expected: the program of the series with the highest value
    hints:
      - Run the query of the text. It has a row for each program.
      - The value is the number of connections in 15 minutes. Take the program in the row with the highest.
    deadEnds:
      - id: pod
        when: { given: "/^(frontend|redis|traffic)/" }
        says: That is a pod. The question is which program in it connects, by its path.
        try: ./lab exercise answer program frontend
    solve: |
      ./lab exercise answer program "$(./lab query logql --label process_executable_path 'topk(1, sum by (process_executable_path) (count_over_time({service_name="tetragon", k8s_namespace_name="application", tetragon_policy_name="tcp-connect"}[15m])))')"
`

const readme = (title: string): string => `# ${title}

The policy \`tcp-connect\` reports every connection that a pod opens. Count them by program:

\`\`\`bash
./lab query logql 'sum by (process_executable_path) (count_over_time({service_name="tetragon", k8s_namespace_name="application", tetragon_policy_name="tcp-connect"}[15m]))'
\`\`\`

> **Task program**: which program opens the most?
>
> \`./lab exercise answer program PATH\`
`
