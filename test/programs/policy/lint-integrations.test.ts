import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { labPath, projectDir } from '../../../shared/paths.ts'
import { newFolder } from '../../unit/support/folders.ts'
import { readTestPolicy } from '../../unit/support/policies.ts'
import { runLab } from '../../unit/support/run-lab.ts'

// How other repositories run the lint: the hook for pre-commit, and the GitHub Action.

const bad = readTestPolicy('rules/syscall-flag/bad.yaml')
const good = readTestPolicy('rules/syscall-flag/good.yaml')

let folder: string
beforeEach(() => {
  folder = newFolder()
})

function write(file: string, text: string): string {
  const path = join(folder, file)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  return path
}

describe('the hook for pre-commit', () => {
  const [hook, ...others] = parse(readFileSync(join(projectDir, '.pre-commit-hooks.yaml'), 'utf8'))

  test('has what pre-commit requires', () => {
    expect(others).toEqual([])
    expect(hook).toMatchObject({ id: 'lint-tracing-policies', name: expect.any(String), language: 'script' })
  })

  test('starts the launcher of this repository', () => {
    const [program] = hook.entry.split(' ')
    expect(() => accessSync(join(projectDir, program), constants.X_OK)).not.toThrow()
  })

  test('fails for a bad policy among all YAML files of a commit, and only then', async () => {
    const words = hook.entry.split(' ').slice(1)
    const other = write('.github/workflows/ci.yml', 'on: [push]\njobs: {}\n')
    expect((await runLab(...words, other)).exitCode).toBe(0)
    expect((await runLab(...words, other, write('good.yaml', good))).exitCode).toBe(0)
    const { exitCode, stdout } = await runLab(...words, other, write('bad.yaml', bad))
    expect([exitCode, stdout]).toEqual([1, expect.stringContaining('bad.yaml:10: ')])
  })
})

// Each test starts one or two programs.
describe('the GitHub Action', { timeout: 60_000 }, () => {
  const action = parse(readFileSync(join(projectDir, 'action.yml'), 'utf8'))
  const [step, ...others] = action.runs.steps

  /** Runs the script of the step as GitHub does, with `lab` from this checkout. */
  function runAction(inputs: Record<string, string> = {}) {
    const actionFolder = newFolder()
    writeFileSync(
      join(actionFolder, 'lab'),
      `#!/bin/sh\nexec "${process.execPath}" "${join(projectDir, 'scripts', 'lab.ts')}" "$@"\n`,
      { mode: 0o755 },
    )
    const value = (name: string): string => inputs[name] ?? action.inputs[name].default
    const env = Object.fromEntries(
      Object.entries(step.env as Record<string, string>).map(([name, expression]) => [
        name,
        value(/^\$\{\{ inputs\.(\w+) \}\}$/.exec(expression)![1]!),
      ]),
    )
    return spawnSync('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', step.run], {
      cwd: folder,
      encoding: 'utf8',
      env: {
        PATH: process.env.PATH,
        LAB_DIR: actionFolder,
        GITHUB_ACTION_PATH: actionFolder,
        NODE_COMPILE_CACHE: labPath('cache', 'compile'),
        ...env,
      },
    })
  }

  test('is one step that uses no other action', () => {
    expect(others).toEqual([])
    expect(action).toMatchObject({ name: expect.any(String), description: expect.any(String) })
    expect([action.runs.using, step.shell, step.uses]).toEqual(['composite', 'bash', undefined])
    expect(existsSync(join(projectDir, 'lab'))).toBe(true)
  })

  test('never puts an input into the script, where it would run as code', () => {
    expect(step.run).not.toContain('${{')
  })

  const sarifResults = () => JSON.parse(readFileSync(join(folder, 'out.sarif'), 'utf8')).runs[0].results

  test('annotates the policies of the repository, writes SARIF, and fails', () => {
    write('deploy/bad.yaml', bad)
    write('deploy/pod.yaml', 'kind: Pod\n')
    const { status, stdout } = runAction({ sarif: 'out.sarif' })
    expect([status, stdout]).toEqual([
      1,
      expect.stringMatching(/^::error file=deploy\/bad\.yaml,line=10,title=syscall-flag::/),
    ])
    expect(sarifResults()).toMatchObject([{ ruleId: 'syscall-flag' }])
  })

  test('passes without a finding, and writes SARIF without results', () => {
    write('good.yaml', good)
    expect(runAction({ sarif: 'out.sarif' })).toMatchObject({ status: 0, stdout: '' })
    expect(sarifResults()).toEqual([])
  })

  test('fails when there is nothing to lint', () => {
    expect(runAction().status).toBe(2)
  })

  test('takes several paths, even with spaces and quotes', () => {
    write('my policies/$(touch x)".yaml', bad)
    write('b.yaml', good)
    const { status, stdout } = runAction({ files: 'my policies\n\nb.yaml\n' })
    expect([status, stdout]).toEqual([1, expect.stringContaining('file=my policies/$(touch x)".yaml,')])
    expect(existsSync(join(folder, 'x'))).toBe(false)
  })

  test('checks against a kernel file', () => {
    write('a.yaml', good)
    expect(runAction({ kernel: 'nowhere.txt' })).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('The kernel file nowhere.txt does not exist'),
    })
  })
})
