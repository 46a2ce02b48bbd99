import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { type LabClient, readWorkFiles } from '../../../scripts/exercise/check/lab-client.ts'
import type { Capabilities } from '../../../scripts/exercise/definition/capabilities.ts'
import { type Exercise, findExercise, readExercises } from '../../../scripts/exercise/definition/exercises.ts'
import { readProgress } from '../../../scripts/exercise/session/progress.ts'
import { checkRendering, type WalkStep, walkExercise } from '../../../scripts/exercise/walk/walk.ts'
import { noFeatures } from '../../../scripts/kernel/features.ts'
import { projectDir } from '../../../shared/paths.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { fakeLabClient } from '../../fakes/lab-client.ts'

// The walk itself, in a fake lab whose cluster is a folder: an object is there when a file of its name is.

vi.mock('../../../scripts/context/context.ts', () => ({ loadContext: async () => ({ env: {} }) }))
vi.mock('../../../scripts/exercise/check/lab-client.ts', async original => ({
  ...(await original<object>()),
  realWorld: async () => folderWorld(),
}))

const before = { ...process.env }
let folder: string
const cluster = (): string => join(folder, 'cluster')

const folderWorld = (): LabClient => ({
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

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lab-walk-'))
  const here = { LAB_DIR: '.lab', LAB_WORK: 'work', LAB_LABS: 'labs' }
  for (const [name, part] of Object.entries(here)) process.env[name] = join(folder, part)
  for (const name of ['.lab', 'cluster']) mkdirSync(join(folder, name))
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true })
    for (const name of Object.keys(here))
      if (before[name] === undefined) delete process.env[name]
      else process.env[name] = before[name]
  })
})

const offer: Capabilities = { source: 'replay', why: 'no kernel', features: noFeatures, settings: parseSettings({}) }

function written(tasks: string, readme: string): Exercise {
  mkdirSync(join(folder, 'labs', '01-walk'), { recursive: true })
  writeFileSync(
    join(folder, 'labs', '01-walk', 'exercise.yaml'),
    `title: Walk
track: stop
outcome: You can test.
learned: [testing]
minutes: 5
reset: rm -f ${cluster()}/*
tasks:
${tasks}`,
  )
  writeFileSync(join(folder, 'labs', '01-walk', 'README.md'), readme)
  return findExercise('01-walk')
}

const walked = (tasks: string, readme: string): Promise<WalkStep[]> => walkExercise(written(tasks, readme), offer)

const load = (more = '') => `  - id: load
    title: Load it
    check: { kube: { get: pod/mine, within: 1s } }
    hints: [a, b]
    solve: touch ${cluster()}/mine
${more}`
const bad = (steps: WalkStep[]) =>
  steps.filter(({ result }) => result === 'fail').map(({ what, found }) => `${what}: ${found}`)
const step = (steps: WalkStep[], what: string) => steps.find(each => each.what === what)

describe('a walk', () => {
  it('does a task by the command in its quote, not by the solution', async () => {
    writeFileSync(join(folder, 'apply.sh'), `echo "mine was made"; touch ${cluster()}/mine`)
    const steps = await walked(load(), `# Walk\n\n> **Task load**: load it.\n>\n> \`bash ${folder}/apply.sh\`\n`)
    expect(bad(steps)).toEqual([])
    const order = steps.map(({ what }) => what)
    expect(order.indexOf('load fails before its step')).toBeLessThan(order.indexOf('text line 5'))
    expect(order.indexOf('text line 5')).toBeLessThan(order.indexOf('load passes after its step'))
    expect(order).not.toContain("load: the student's part")
    expect(order).toContain('load fails after a reset')
    expect(readdirSync(cluster())).toEqual([])
    // The student's own progress is as it was.
    expect(readProgress().exercises).toEqual({})
  })

  it('finds a command in a quote that does not do its task', async () => {
    const steps = await walked(load(), '# Walk\n\n> **Task load**: load it.\n>\n> `echo nothing`\n')
    expect(bad(steps)).toEqual([expect.stringMatching(/^load passes after its step: NotFound/)])
  })

  it('compares what a command in a fence of a quote prints, where it is to be so', async () => {
    const quote = (shown: string) =>
      `# Walk\n\n> **Task load**: load it.\n>\n> \`\`\`bash\n> echo "pod/mine-1 created" && touch ${cluster()}/mine\n> \`\`\`\n>\n> \`\`\`text stable\n> ${shown}\n> \`\`\`\n>\n> \`\`\`text stable source=live\n> and loaded\n> \`\`\`\n`
    expect(bad(await walked(load(), quote('pod/… created')))).toEqual([])
    expect(bad(await walked(load(), quote('pod/… unchanged')))).toEqual([
      expect.stringMatching(/^text line 5: the text shows "pod\/… unchanged", but it printed: pod\/mine-1 created/),
    ])
  })

  it('lets the solution write what is to be written, and runs the command of the quote on it', async () => {
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
    expect(bad(steps)).toEqual([])
    expect(step(steps, "write: the student's part")?.result).toBe('ok')
    expect(step(steps, 'text line 5')).toMatchObject({ result: 'ok', found: '1' })
    expect(step(steps, 'dead end wrong of write')?.result).toBe('ok')
  })

  it('is in a terminal that knows nothing of the lab', async () => {
    process.env.PULUMI_STACK = 'dev'
    process.env.KUBECONFIG = '/the/labs/own'
    process.env.PATH = `${join(folder, '.lab', 'tools', 'kubectl')}:${before.PATH}`
    onTestFinished(() => {
      process.env.PATH = before.PATH
      for (const name of ['PULUMI_STACK', 'KUBECONFIG'] as const)
        if (before[name] === undefined) delete process.env[name]
        else process.env[name] = before[name]
    })
    const steps = await walked(
      load(),
      `# Walk\n\n\`\`\`bash\necho "<\${WORK-}\${PULUMI_STACK-}>"\ncat "$KUBECONFIG"\n\`\`\`\n\n\`\`\`text stable\n<>\napiVersion: v1\nkind: Config\n\`\`\`\n\n\`\`\`bash\ncase $PATH in *${folder}*) false ;; esac\n\`\`\`\n\n> **Task load**: load it\n`,
    )
    expect(bad(steps)).toEqual([])
  })

  it('sees a live task fail on what was recorded before, and pass on what was recorded after', async () => {
    const live = (recorded: string, path = '/run/secrets/kubernetes.io/serviceaccount/token') => `  - id: killed
    title: See it killed
    needs: { source: live }
    check: { run: { command: kubectl exec deploy/visitor -- cat ${path}, exit: 137 } }
    hints: [a, b]
    solve: "true"
    recorded: ${recorded}
`
    const text = '# Walk\n\n> **Task load**: load it\n\n> **Task killed**: see it\n'
    const good = await walked(load() + live('{ before: { transcript: record }, after: { transcript: enforce } }'), text)
    expect(bad(good)).toEqual([])
    expect(step(good, 'killed fails before it is done (transcript.txt, record)')?.found).toMatch(/ended with 0$/)
    expect(step(good, 'killed passes on recorded data (transcript.txt, enforce)')?.result).toBe('ok')

    const swapped = await walked(
      load() + live('{ before: { transcript: enforce }, after: { transcript: enforce } }'),
      text,
    )
    expect(bad(swapped)).toEqual([expect.stringMatching(/^killed fails before it is done .*it passes/)])
    const other = await walked(
      load() + live('{ before: { transcript: record }, after: { transcript: enforce } }', '/etc/hosts'),
      text,
    )
    expect(bad(other)).toHaveLength(2)
    expect(bad(other)[1]).toMatch(/no command cat \/etc\/hosts in a section enforce/)

    const missing = await walked(load() + live('{ missing: nobody wrote it down }'), text)
    expect(bad(missing)).toEqual([])
    expect(step(missing, 'killed on recorded data')).toMatchObject({ result: 'skip', found: 'nobody wrote it down' })
  })

  it('leaves out what another setting is needed for, and says which', async () => {
    const steps = await walked(
      load('    needs: { settings: { traffic.enabled: false } }\n'),
      '# Walk\n\n> **Task load**: load it\n',
    )
    expect(step(steps, 'load')).toMatchObject({ result: 'skip', found: 'traffic.enabled is true, and must be false' })
    expect(bad(steps)).toEqual([])
  })
})

describe('a text on a terminal', () => {
  it.each([
    ['> **Task load**: a\n\nThis is **bold\n', /Markdown is left/],
    [`> **Task load**: a\n\n${'| a '.repeat(3)}|\n| - | - | - |\n| 1 | 2 | 3 |\n`, undefined],
    [`> **Task load**: ${'word '.repeat(60)}\n\n\`\`\`bash\n./lab ${'x'.repeat(100)}\n\`\`\`\n`, undefined],
  ])('%#', (readme, problem) => {
    const { result, found } = checkRendering(written(load(), readme))
    expect(result).toBe(problem ? 'fail' : 'ok')
    if (problem) expect(found).toMatch(problem)
  })

  it('is whole in every exercise of the lab', () => {
    for (const exercise of readExercises(join(projectDir, 'labs')))
      expect(checkRendering(exercise), exercise.name).toMatchObject({ result: 'ok' })
  })
})

it('the schema of a recording asks for both halves', () => {
  const text = '# Walk\n\n> **Task load**: load it\n'
  for (const half of [
    '{ after: { transcript: enforce } }',
    '{ missing: x, before: { agent: a }, after: { agent: b } }',
  ])
    expect(() => written(load(`    recorded: ${half}\n`), text)).toThrow(/before and after, or missing alone/)
})
