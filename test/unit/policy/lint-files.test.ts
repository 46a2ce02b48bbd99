import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { run } from '../../../scripts/lab.ts'
import { lintFiles } from '../../../scripts/policy/lint-files.ts'
import { policyFolder } from '../../../shared/policy-file.ts'
import { readTestPolicy } from '../support/policies.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lint-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const good = readTestPolicy('rules/severity-tag/good.yaml')
const write = (file: string, text = good): void => writeFileSync(join(folder, file), text)

/** Runs `lab policy lint` in this process. */
async function lint(...args: string[]) {
  const stdout = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const { exitCode } = process
  try {
    const thrown = await run(['policy', 'lint', ...args])
    const text = (spy: typeof stdout): string => spy.mock.calls.map(([part]) => String(part)).join('')
    return { exit: thrown ?? process.exitCode ?? 0, stdout: text(stdout), stderr: text(stderr) }
  } finally {
    process.exitCode = exitCode
    vi.restoreAllMocks()
  }
}

describe('lab policy lint', () => {
  test("exits 0 with an empty list for the lab's own policies", async () => {
    const { exit, stdout } = await lint('--json', policyFolder)
    expect([exit, JSON.parse(stdout)]).toEqual([0, []])
  })

  test('exits 1 for errors, and prints where they are', async () => {
    write('bad.yaml', readTestPolicy('documents/unexpected-process-exec.yaml'))
    const { exit, stdout, stderr } = await lint(join(folder, 'bad.yaml'))
    expect([exit, stderr.trim()]).toEqual([1, '1 file, 1 error, 2 warnings'])
    expect(stdout).toMatch(/bad\.yaml:15: .*in-for-arguments: matchArgs does not support the operator NotIn/)
  })

  test('exits 1 for a file that does not exist', async () => {
    const { exit, stderr } = await lint('no-such-file.yaml')
    expect([exit, stderr.split('\n')[0]]).toEqual([1, expect.stringContaining('no-such-file.yaml does not exist')])
  })

  test('exits 2 for a folder without YAML files', async () => {
    mkdirSync(join(folder, 'sub'))
    const { exit, stderr } = await lint(folder)
    expect([exit, stderr.split('\n')[0]]).toEqual([2, `Error     The folder ${folder} has no YAML files`])
  })
})

describe('lintFiles of a folder', () => {
  test('reads the YAML files of sub-folders, even of one named like a file', () => {
    mkdirSync(join(folder, 'x.yaml', 'deeper'), { recursive: true })
    write('a.yml')
    write('x.yaml/deeper/b.yaml', readTestPolicy('rules/severity-tag/bad.yaml'))
    write('notes.txt', 'not: [YAML')
    const { count, findings } = lintFiles([folder])
    expect(count).toBe(2)
    expect(findings.map(({ file, rule }) => [file, rule])).toEqual([
      [join(folder, 'x.yaml', 'deeper', 'b.yaml'), 'severity-tag'],
    ])
  })

  test('reads a linked file', () => {
    mkdirSync(join(folder, '..data'))
    write('..data/a.yaml')
    symlinkSync(join('..data', 'a.yaml'), join(folder, 'a.yaml'))
    // A mounted ConfigMap looks like this: the file in the hidden folder is not a second one.
    expect(lintFiles([folder]).count).toBe(1)
  })

  test('reports a dangling link by its name', () => {
    write('a.yaml')
    symlinkSync('nowhere.yaml', join(folder, 'x.yaml'))
    expect(() => lintFiles([folder])).toThrow(`${join(folder, 'x.yaml')} is a link to a file that does not exist`)
  })
})
