import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { checkTask } from '../../../../scripts/exercise/check/check-task.ts'
import { findExercise } from '../../../../scripts/exercise/definition/exercises.ts'
import { projectDir } from '../../../../shared/paths.ts'
import { fakeLabClient } from '../../../fakes/lab-client.ts'
import { fakeLoki } from '../../../fakes/loki.ts'

// The visitor's events differ between the recording (a Debian image, commands by kubectl exec) and a live lab (Alpine,
// a script of its own). The exercises must have an answer in both.

type Json = Record<string, unknown>

const recorded = zstdDecompressSync(
  readFileSync(join(projectDir, 'stacks/monitoring/replay/recordings/guestbook/tetragon.log.zst')),
)
  .toString('utf8')
  .trim()
  .split('\n')
  .map(line => JSON.parse(line) as Json)

/**
 * Returns the events of a visit in an Alpine image. Tetragon reports each program by the path it was started with. Only
 * the script's shell, which is older than the agent, is reported by its file with links resolved: busybox. Not
 * recorded, but written by hand.
 */
function alpineVisit(): Json[] {
  let pid = 100
  const process = (binary: string, args: string): Json => ({
    exec_id: Buffer.from(`lab-control-plane:${pid}000000:${++pid}`).toString('base64'),
    pid,
    binary,
    arguments: args,
    start_time: `2026-11-21T10:00:00.${pid}Z`,
    pod: { namespace: 'application', name: 'visitor-5c9f8d7b6-abcde', workload: 'visitor' },
  })
  const above = [process('/usr/local/bin/containerd-shim-runc-v2', ''), process('/usr/lib/systemd/systemd', '')]
  const script = process('/bin/busybox', '/scripts/visitor.sh')
  return [
    ['/bin/cat', '/etc/passwd', ' >/dev/null 2>&1'],
    ['/bin/cat', '/run/secrets/kubernetes.io/serviceaccount/token', ' >/dev/null 2>&1'],
    ['/bin/cat', '/etc/shadow', ' >/dev/null 2>&1'],
    ['/bin/ls', '/root', ' >/dev/null 2>&1'],
    ['/usr/bin/wget', '-q -T 20 -O /dev/null http://frontend/', ''],
  ].flatMap(([binary, args, quiet]) => {
    const shell = process('/bin/sh', `-c "${binary!.replace(/.*\//, '')} ${args}${quiet}; exit $?"`)
    const child = process(binary!, args!)
    const [starts, ends] = ['2026-11-21T10:00:01.1Z', '2026-11-21T10:00:01.2Z']
    return [
      { process_exec: { process: shell, parent: script, ancestors: above }, time: starts },
      { process_exec: { process: child, parent: shell, ancestors: [script, ...above] }, time: starts },
      { process_exit: { process: child, parent: shell, ancestors: [script, ...above], time: ends }, time: ends },
      { process_exit: { process: shell, parent: script, ancestors: above, time: ends }, time: ends },
    ]
  })
}

const tokenRead = (events: Json[], type: string): { process: { exec_id: string }; time: string } =>
  events
    .map(event => event[type] as { process: { exec_id: string; arguments?: string }; time: string } | undefined)
    .find(event => event?.process.arguments === '/run/secrets/kubernetes.io/serviceaccount/token')!

const checkAnswer = (events: Json[], exercise: string, task: string, value: string) =>
  checkTask(
    findExercise(exercise).tasks.find(({ id }) => id === task)!,
    {
      lab: fakeLabClient({ logql: query => fakeLoki(events)(query) }),
      work: '/nowhere',
      workPath: 'work/x',
      startedAt: new Date(Date.now() - 60_000),
      answer: { value, at: new Date() },
    },
    { once: true },
  )

const siblings =
  '{service_name="tetragon", k8s_namespace_name="application", tetragon_event_type="process_exec"} | k8s_workload_name="visitor" | process_parent_executable_path'

describe.each([
  {
    where: 'in the recording',
    events: recorded,
    answers: { fetcher: 'curl', parent: '/usr/bin/sh', grandparent: 'containerd-shim-runc-v2' },
  },
  {
    where: 'in Alpine, older than the agent',
    events: alpineVisit(),
    answers: { fetcher: 'wget', parent: '/bin/sh', grandparent: '/bin/busybox' },
  },
])('the visitor $where', ({ events, answers }) => {
  const end = tokenRead(events, 'process_exit')
  const start = tokenRead(events, 'process_exec')

  test.each([
    ['read-a-dashboard', 'program', 'sh'],
    ['exec-and-exit', 'reader', 'cat'],
    ['exec-and-exit', 'fetcher', answers.fetcher],
    ['who-started-it', 'parent', answers.parent],
    ['who-started-it', 'grandparent', answers.grandparent],
    ['who-started-it', 'decode', Buffer.from(start.process.exec_id, 'base64').toString()],
    ['who-started-it', 'end', `${end.process.exec_id} ${end.time}`],
    ['who-started-it', 'siblings', `${siblings}=~".*sh"`],
    ['who-started-it', 'siblings', `${siblings}=~".*/sh"`],
    ['redact-a-secret', 'commands', 'sh'],
  ])('%s, task %s: accepts %s', async (exercise, task, answer) => {
    const { passed, found } = await checkAnswer(events, exercise, task, answer)
    expect(passed, found).toBe(true)
  })

  test.each([
    ['exec-and-exit', 'reader', 'sh', 'shell'],
    ['exec-and-exit', 'fetcher', 'sh', 'shell'],
    ['who-started-it', 'parent', 'cat', 'itself'],
    ['who-started-it', 'grandparent', 'sh', 'parent'],
    ['who-started-it', 'end', `${start.process.exec_id} 2026-11-21T10:00:00.000Z`, undefined],
    ['who-started-it', 'end', end.process.exec_id, 'half'],
  ])('%s, task %s: rejects %s and recognizes the dead end', async (exercise, task, answer, deadEnd) => {
    const attempt = await checkAnswer(events, exercise, task, answer)
    expect(attempt.passed).toBe(false)
    expect(attempt.deadEnd?.id).toBe(deadEnd)
  })
})
