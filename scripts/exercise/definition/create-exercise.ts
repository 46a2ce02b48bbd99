import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LabError } from '../../../shared/lab-error.ts'
import { exerciseNames } from './exercises.ts'
import { exerciseFolders } from './folders.ts'

/**
 * Creates the folder of a new exercise, which runs and passes its own test unchanged.
 * @param name lower-case letters, digits and dashes, with or without a leading number.
 * @returns the name with its number.
 * @throws LabError for an invalid name, or one that is in use.
 */
export function createExercise(name: string, labs = exerciseFolders().labs): string {
  if (!/^(\d{2}-)?[a-z][a-z0-9-]*$/.test(name))
    throw new LabError({
      found: `${name} is not a name for an exercise`,
      expected: 'lower-case letters, digits and dashes, as in watch-a-shell',
      next: './lab exercise new watch-a-shell',
      exitCode: 2,
    })
  const names = exerciseNames(labs)
  const numbered = /^\d{2}-/.test(name) ? name : `${nextNumber(names)}-${name}`
  if (names.includes(numbered))
    throw new LabError({ found: `labs/${numbered} already exists`, next: './lab exercise list', exitCode: 2 })
  const title = titleOf(numbered)
  mkdirSync(join(labs, numbered), { recursive: true })
  writeFileSync(join(labs, numbered, 'exercise.yaml'), exerciseYaml(title))
  writeFileSync(join(labs, numbered, 'README.md'), readme(title))
  return numbered
}

const nextNumber = (names: string[]): string =>
  String(Math.max(0, ...names.map(name => Number.parseInt(name, 10) || 0)) + 1).padStart(2, '0')

/** Returns `Watch a shell` for `03-watch-a-shell`. */
function titleOf(name: string): string {
  const words = name.replace(/^\d+-/, '').replaceAll('-', ' ')
  return words[0]!.toUpperCase() + words.slice(1)
}

const exerciseYaml = (title: string): string => `# yaml-language-server: $schema=../exercise.schema.json
# What each key means: docs/writing-exercises.md
title: ${title}
track: see
outcome: You can tell which program of a Pod opens the most connections.
learned:
  - A policy on tcp_connect reports one event for each connection.
minutes: 5
needs:
  source: any
tasks:
  - id: program
    title: Which program in the namespace application opens the most connections?
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
      - Run the query in the text. It returns a row for each program.
      - The value is the number of connections in 15 minutes. Take the program with the highest value.
    deadEnds:
      - id: pod
        when: { given: "/^(frontend|redis|traffic)/" }
        says: That is a Pod. The question is which program in it connects. Give its path.
        try: ./lab exercise answer program frontend
    solve: |
      ./lab exercise answer program "$(./lab query logql --label process_executable_path 'topk(1, sum by (process_executable_path) (count_over_time({service_name="tetragon", k8s_namespace_name="application", tetragon_policy_name="tcp-connect"}[15m])))')"
`

const readme = (title: string): string => `# ${title}

The policy \`tcp-connect\` reports every connection that a Pod opens. Count them by program:

\`\`\`bash
./lab query logql 'sum by (process_executable_path) (count_over_time({service_name="tetragon", k8s_namespace_name="application", tetragon_policy_name="tcp-connect"}[15m]))'
\`\`\`

> **Task program**: which program opens the most connections?
>
> \`./lab exercise answer program PATH\`
`
