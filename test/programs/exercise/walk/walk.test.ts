import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { type LabClient, readWorkFiles } from '../../../../scripts/exercise/check/lab-client.ts'
import type { Exercise } from '../../../../scripts/exercise/definition/exercises.ts'
import { readProgress } from '../../../../scripts/exercise/session/progress.ts'
import { walkExercise } from '../../../../scripts/exercise/walk/walk.ts'
import type { WalkStep } from '../../../../scripts/exercise/walk/walk-step.ts'
import { replayCapabilities, temporaryFolders, writeExercise } from '../../../fakes/exercise-session.ts'
import { fakeLabClient } from '../../../fakes/lab-client.ts'

// The walk in a fake lab whose cluster is a folder: an object exists when there is a file with its name.

vi.mock('../../../../scripts/context/context.ts', () => ({ loadRunningLab: async () => ({ env: {} }) }))

let folders: ReturnType<typeof temporaryFolders>
let folder: string
const cluster = (): string => join(folder, 'cluster')

beforeEach(() => {
  folders = temporaryFolders()
  folder = folders.root
  mkdirSync(cluster())
})

const folderLab = (): LabClient => ({
  ...fakeLabClient({
    kubectl: args =>
      existsSync(join(cluster(), args[1]!.replace('pod/', '')))
        ? { stdout: args[1] }
        : { exitCode: 1, stderr: 'NotFound' },
  }),
  files: readWorkFiles,
  run: async (command, { work }) => {
    const { status, stdout, stderr } = spawnSync('bash', ['-c', command], {
      env: { ...process.env, WORK: work },
      encoding: 'utf8',
    })
    return { exitCode: status ?? 1, stdout, stderr }
  },
})

const exerciseOf = (tasks: string, readme: string): Exercise =>
  writeExercise(folders, '01-walk', tasks, readme, `reset: rm -f ${cluster()}/*`)

const walked = (tasks: string, readme: string): Promise<WalkStep[]> =>
  walkExercise(exerciseOf(tasks, readme), replayCapabilities, { folders, connect: async () => folderLab() })

const load = (more = '') => `  - id: load
    title: Load it
    check: { kube: { get: pod/mine, within: 0s } }
    hints: [a, b]
    solve: touch ${cluster()}/mine
${more}`
const failures = (steps: WalkStep[]) =>
  steps.filter(({ result }) => result === 'fail').map(({ what, found }) => `${what}: ${found}`)
const step = (steps: WalkStep[], what: string) => steps.find(each => each.what === what)

describe('a walk', () => {
  it('does a task with the command in its quote, not with the solution', async () => {
    writeFileSync(join(folder, 'apply.sh'), `echo "mine was made"; touch ${cluster()}/mine`)
    const steps = await walked(load(), `# Walk\n\n> **Task load**: load it.\n>\n> \`bash ${folder}/apply.sh\`\n`)
    expect(failures(steps)).toEqual([])
    const order = steps.map(({ what }) => what)
    expect(order.indexOf('load fails before its step')).toBeLessThan(order.indexOf('text line 5'))
    expect(order.indexOf('text line 5')).toBeLessThan(order.indexOf('load passes after its step'))
    expect(order).not.toContain("load: the student's part")
    expect(order).toContain('load fails after a reset')
    expect(readdirSync(cluster())).toEqual([])
    // The student's own progress is unchanged.
    expect(readProgress(folders.progress).exercises).toEqual({})
  })

  it('fails when the command in a quote does not do its task', async () => {
    const steps = await walked(load(), '# Walk\n\n> **Task load**: load it.\n>\n> `echo nothing`\n')
    expect(failures(steps)).toEqual([expect.stringMatching(/^load passes after its step: NotFound/)])
  })

  it('compares the output of a code block with the stable output in the text', async () => {
    const quote = (shown: string) =>
      `# Walk\n\n> **Task load**: load it.\n>\n> \`\`\`bash\n> echo "pod/mine-1 created" && touch ${cluster()}/mine\n> \`\`\`\n>\n> \`\`\`text stable\n> ${shown}\n> \`\`\`\n>\n> \`\`\`text stable source=live\n> and loaded\n> \`\`\`\n`
    expect(failures(await walked(load(), quote('pod/… created')))).toEqual([])
    expect(failures(await walked(load(), quote('pod/… unchanged')))).toEqual([
      expect.stringMatching(/^text line 5: the text shows "pod\/… unchanged", but it printed: pod\/mine-1 created/),
    ])
  })

  it('writes files with the solution, and then runs the command in the quote', async () => {
    const write = `  - id: write
    title: Write it
    check: { run: { command: "cat $WORK/mine.txt", stdout: right } }
    hints: [a, b]
    deadEnds: [{ id: wrong, when: { run: { command: "cat $WORK/mine.txt", stdout: wrong } }, says: No., try: echo wrong > $WORK/mine.txt }]
    solve: echo right > $WORK/mine.txt
`
    const steps = await walked(
      write,
      '# Walk\n\n> **Task write**: write it.\n>\n> `grep -c right "$LAB_WORK"/01-walk/mine.txt`\n',
    )
    expect(failures(steps)).toEqual([])
    expect(step(steps, "write: the student's part")?.result).toBe('ok')
    expect(step(steps, 'text line 5')).toMatchObject({ result: 'ok', found: '1' })
    expect(step(steps, 'dead end wrong of write')?.result).toBe('ok')
  })

  it('runs the text in a terminal without the lab’s programs and variables', async () => {
    vi.stubEnv('PULUMI_STACK', 'dev')
    vi.stubEnv('KUBECONFIG', '/the/labs/own')
    vi.stubEnv('PATH', `${join(folder, '.lab', 'tools', 'kubectl')}:${process.env.PATH}`)
    onTestFinished(() => void vi.unstubAllEnvs())
    const steps = await walked(
      load(),
      `# Walk\n\n\`\`\`bash\necho "<\${WORK-}\${PULUMI_STACK-}>"\ncat "$KUBECONFIG"\n\`\`\`\n\n\`\`\`text stable\n<>\napiVersion: v1\nkind: Config\n\`\`\`\n\n\`\`\`bash\ncase $PATH in *${folder}*) false ;; esac\n\`\`\`\n\n> **Task load**: load it\n`,
    )
    expect(failures(steps)).toEqual([])
  })

  it('expects a live task to fail on the recording from before, and to pass on the one from after', async () => {
    const live = (recorded: string, path = '/run/secrets/kubernetes.io/serviceaccount/token') => `  - id: killed
    title: See it killed
    needs: { source: live }
    check: { run: { command: kubectl exec deploy/visitor -- cat ${path}, exit: 137, within: 0s } }
    hints: [a, b]
    solve: "true"
    recorded: ${recorded}
`
    const text = '# Walk\n\n> **Task load**: load it\n\n> **Task killed**: see it\n'
    const good = await walked(load() + live('{ before: { transcript: record }, after: { transcript: enforce } }'), text)
    expect(failures(good)).toEqual([])
    expect(step(good, 'killed fails before it is done (transcript.txt, record)')?.found).toMatch(/exited with 0$/)
    expect(step(good, 'killed passes on recorded data (transcript.txt, enforce)')?.result).toBe('ok')

    const swapped = await walked(
      load() + live('{ before: { transcript: enforce }, after: { transcript: enforce } }'),
      text,
    )
    expect(failures(swapped)).toEqual([expect.stringMatching(/^killed fails before it is done .*it passes/)])
    const other = await walked(
      load() + live('{ before: { transcript: record }, after: { transcript: enforce } }', '/etc/hosts'),
      text,
    )
    expect(failures(other)).toHaveLength(2)
    expect(failures(other)[1]).toMatch(/no command cat \/etc\/hosts in its section enforce/)

    const missing = await walked(load() + live('{ missing: nobody wrote it down }'), text)
    expect(failures(missing)).toEqual([])
    expect(step(missing, 'killed on recorded data')).toMatchObject({ result: 'skip', found: 'nobody wrote it down' })
  })

  it('skips a task that needs another setting, and names the setting', async () => {
    const steps = await walked(
      load('    needs: { settings: { traffic.enabled: false } }\n'),
      '# Walk\n\n> **Task load**: load it\n',
    )
    expect(step(steps, 'load')).toMatchObject({ result: 'skip', found: 'traffic.enabled is true, and must be false' })
    expect(failures(steps)).toEqual([])
  })
})
