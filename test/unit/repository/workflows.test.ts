import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { loadProgram } from '../../../scripts/lab.ts'
import { projectDir } from '../../../shared/paths.ts'

// What actionlint and zizmor do not check: they run where they are installed (test/linters.ts).

interface Job {
  permissions?: Record<string, string>
  'timeout-minutes'?: number
  steps: { uses?: string; run?: string }[]
}
interface Workflow {
  on: Record<string, unknown>
  permissions: object
  jobs: Record<string, Job>
}
const files = globSync('.github/workflows/*.yml', { cwd: projectDir }).toSorted()
const read = (file: string): string => readFileSync(join(projectDir, file), 'utf8')
const workflows = files.map(file => [basename(file), read(file), parse(read(file)) as Workflow] as const)

it.each(workflows)('%s pins each action to a commit, with its version', (_, text) => {
  const used = text.match(/^ *(- )?uses: .*$/gm) ?? []
  expect(used.length).toBeGreaterThan(0)
  for (const line of used) expect(line).toMatch(/uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
})

it('pins an action to the same commit everywhere', () => {
  const pins = workflows.flatMap(([, text]) => [...text.matchAll(/uses: (\S+)@(\S+ # \S+)/g)])
  const commits = new Map<string, Set<string>>()
  for (const [, action, commit] of pins) commits.set(action!, (commits.get(action!) ?? new Set()).add(commit!))
  expect([...commits].filter(([, pinned]) => pinned.size > 1)).toEqual([])
})

it.each(workflows)('%s gives no permission by default, and each job a time limit', (_, __, workflow) => {
  expect(workflow.permissions).toEqual({})
  for (const [name, job] of Object.entries(workflow.jobs)) {
    expect(job['timeout-minutes'], name).toBeLessThanOrEqual(120)
    const writes = Object.entries(job.permissions ?? {}).filter(([, access]) => access === 'write')
    expect(writes.length > 0, name).toBe(name === 'release')
  }
})

describe('commands', () => {
  const commands = workflows.flatMap(([file, , { jobs }]) =>
    Object.values(jobs).flatMap(({ steps }) => steps.flatMap(({ run }) => (run ? [[file, run] as const] : []))),
  )

  it('run suites that exist', async () => {
    const program = await loadProgram(['test'])
    const help = program.commands.find(command => command.name() === 'test')!
    let text = ''
    help.configureOutput({ writeOut: part => (text += part) }).outputHelp()
    for (const [file, run] of commands) {
      const suite = /\.\/lab test (\w+)/.exec(run)?.[1]
      if (suite) expect(text, file).toMatch(new RegExp(`^  ${suite} `, 'm'))
    }
  })

  it('test on Linux and macOS, run a whole lab, and the policies on a real kernel', () => {
    const of = (file: string) => commands.filter(([name]) => name === file).map(([, run]) => run)
    expect(read('.github/workflows/ci.yml')).toMatch(/os: ubuntu-.*os: macos-/s)
    expect(of('ci.yml')).toEqual(expect.arrayContaining(['./lab test', './lab test e2e']))
    expect(of('live.yml')).toContain('./lab test live')
  })

  it('test on a real kernel on every push to main, and regularly without one', () => {
    const [, , { on }] = workflows.find(([file]) => file === 'live.yml')!
    expect(on).toMatchObject({ push: { branches: ['main'] }, schedule: [{ cron: expect.any(String) }] })
  })
})

it('a release has the attested tarball, its sha256, the SBOM and install.sh', () => {
  const text = read('.github/workflows/release.yml')
  for (const file of ['*.tar.gz', '*.sha256', 'sbom.cdx.json', 'install.sh'])
    expect(text.slice(text.indexOf('gh release create'))).toContain(`release/${file}`)
})
