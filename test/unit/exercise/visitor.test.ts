import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { attempt } from '../../../scripts/exercise/check/attempt.ts'
import { findExercise } from '../../../scripts/exercise/definition/exercises.ts'
import { projectDir } from '../../../shared/paths.ts'
import { fakeLoki } from '../../fakes/loki.ts'
import { fakeWorld } from '../../fakes/world.ts'

// What the visitor does looks different in the recording (a Debian image, commands by kubectl exec) and on a lab that traces (Alpine, its own script). The
// exercises on it must have an answer in both.

type Json = Record<string, unknown>

const recorded = gunzipSync(
  readFileSync(join(projectDir, 'stacks/monitoring/replay/recordings/guestbook/tetragon.log.gz')),
)
  .toString('utf8')
  .trim()
  .split('\n')
  .map(line => JSON.parse(line) as Json)

/**
 * A visit in an Alpine image, as Tetragon tells of it: what is started is named as it was called; only the shell of the script, which ran before the agent, is
 * named by its file with links followed, and that is busybox. Made up, since no such run was recorded.
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

const look = (events: Json[], exercise: string, task: string, value: string) =>
  attempt(
    findExercise(exercise).tasks.find(({ id }) => id === task)!,
    {
      world: fakeWorld({ logql: query => fakeLoki(events)(query) }),
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
    rights: { fetcher: 'curl', parent: '/usr/bin/sh', grandparent: 'containerd-shim-runc-v2' },
  },
  {
    where: 'in Alpine, older than the agent',
    events: alpineVisit(),
    rights: { fetcher: 'wget', parent: '/bin/sh', grandparent: '/bin/busybox' },
  },
])('the visitor $where', ({ events, rights }) => {
  const end = tokenRead(events, 'process_exit')
  const start = tokenRead(events, 'process_exec')

  test.each([
    ['read-a-dashboard', 'program', 'sh'],
    ['exec-and-exit', 'reader', 'cat'],
    ['exec-and-exit', 'fetcher', rights.fetcher],
    ['who-started-it', 'parent', rights.parent],
    ['who-started-it', 'grandparent', rights.grandparent],
    ['who-started-it', 'decode', Buffer.from(start.process.exec_id, 'base64').toString()],
    ['who-started-it', 'end', `${end.process.exec_id} ${end.time}`],
    ['who-started-it', 'siblings', `${siblings}=~".*sh"`],
    ['who-started-it', 'siblings', `${siblings}=~".*/sh"`],
    ['redact-a-secret', 'commands', 'sh'],
  ])('%s, %s: %s is right', async (exercise, task, answer) => {
    const { passed, found } = await look(events, exercise, task, answer)
    expect(passed, found).toBe(true)
  })

  test.each([
    ['exec-and-exit', 'reader', 'sh', 'shell'],
    ['exec-and-exit', 'fetcher', 'sh', 'shell'],
    ['who-started-it', 'parent', 'cat', 'itself'],
    ['who-started-it', 'grandparent', 'sh', 'parent'],
    ['who-started-it', 'end', `${start.process.exec_id} 2026-11-21T10:00:00.000Z`, undefined],
    ['who-started-it', 'end', end.process.exec_id, 'half'],
  ])('%s, %s: %s is not, and is told why', async (exercise, task, answer, deadEnd) => {
    const made = await look(events, exercise, task, answer)
    expect(made.passed).toBe(false)
    expect(made.deadEnd?.id).toBe(deadEnd)
  })
})
