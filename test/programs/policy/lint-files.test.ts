import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { lintFiles } from '../../../scripts/policy/lint-files.ts'
import { labPath, projectDir } from '../../../shared/paths.ts'
import { policyFolder } from '../../../shared/policy-file.ts'
import { readTestPolicy } from '../../unit/support/policies.ts'
import { runLab } from '../../unit/support/run-lab.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lint-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const good = readTestPolicy('rules/severity-tag/good.yaml')
const write = (file: string, text = good): void => writeFileSync(join(folder, file), text)

/** Runs `lab policy lint`. */
async function lint(...args: string[]) {
  const { exitCode, stdout, stderr } = await runLab('policy', 'lint', ...args)
  return { exit: exitCode, stdout, stderr }
}

describe('lab policy lint', () => {
  test("exits 0 with an empty list for the lab's own policies", async () => {
    const { exit, stdout } = await lint('--json', policyFolder)
    expect([exit, JSON.parse(stdout)]).toEqual([0, []])
  })

  test('exits 1 for errors, and prints where they are', async () => {
    write('bad.yaml', readTestPolicy('documents/unexpected-process-exec.yaml'))
    const { exit, stdout, stderr } = await lint(join(folder, 'bad.yaml'))
    expect([exit, stderr.split('\n')[0]]).toEqual([1, '1 file, 1 error, 1 warning'])
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

  test('exits 2 for a folder whose YAML files are about something else', async () => {
    write('pod.yaml', 'apiVersion: v1\nkind: Pod\n')
    const { exit, stderr } = await lint(folder)
    expect([exit, stderr.split('\n')[0]]).toEqual([2, `Error     The folder ${folder} has no policies`])
  })

  test('folds what matters only to the lab into one line for files that are not its own', async () => {
    write('a.yaml', readTestPolicy('rules/whole-machine/bad.yaml'))
    write('b.yaml', readTestPolicy('rules/whole-machine/bad.yaml'))
    const { exit, stdout, stderr } = await lint(folder)
    expect([exit, stdout]).toEqual([0, ''])
    expect(stderr.split('\n').slice(0, 2)).toEqual([
      '2 files, 0 errors, 0 warnings',
      expect.stringContaining('Only for policies of the lab: whole-machine (2 times)'),
    ])
    expect((await lint('test/policies/rules/whole-machine/bad.yaml')).stdout).toContain('warning whole-machine')
  })

  test.each(['json', 'sarif'])('prints nothing but the findings with --format %s', async format => {
    write('bad.yaml', readTestPolicy('documents/unexpected-process-exec.yaml'))
    const { exit, stdout, stderr } = await lint('--format', format, folder)
    expect([exit, stderr]).toEqual([1, ''])
    expect(() => JSON.parse(stdout)).not.toThrow()
  })

  test('checks against the kernel of --kernel', async () => {
    write('a.yaml')
    const kernel = join(folder, 'kernel.txt')
    const header = '# Kernel names for lab policy lint --kernel, format 1'
    const lines = [
      header,
      '[syscalls]',
      '[functions]',
      'vfs_read',
      '[probe]',
      'release=6.6.0',
      'arch=x86_64',
      'btf_bytes=1',
    ]
    writeFileSync(kernel, lines.join('\n'))
    const { exit, stdout } = await lint('--kernel', kernel, join(folder, 'a.yaml'))
    expect([exit, stdout]).toEqual([1, expect.stringContaining('This kernel has no function security_file_open')])
  })

  test('explains a rule without linting', async () => {
    const { exit, stdout } = await lint('--explain', 'syscall-flag')
    expect([exit, stdout]).toEqual([0, expect.stringContaining('Bad:')])
    expect(JSON.parse((await lint('--explain', 'syscall-flag', '--json')).stdout)).toMatchObject({
      id: 'syscall-flag',
      level: 'error',
      good: readTestPolicy('rules/syscall-flag/good.yaml'),
    })
  })
})

test('lab policy lint waits for standard input that comes late, as behind a pipe', async () => {
  const parts = readTestPolicy('rules/syscall-flag/bad.yaml').split(/(?<=spec:\n)/)
  async function* late() {
    for (const part of parts) {
      await new Promise(setImmediate)
      yield Buffer.from(part)
    }
  }
  const stdin = vi.spyOn(process, 'stdin', 'get').mockReturnValue(Readable.from(late()) as typeof process.stdin)
  const { exit, stdout } = await lint('-')
  stdin.mockRestore()
  expect([exit, stdout]).toEqual([1, expect.stringMatching(/^stdin:10: error syscall-flag/)])
})

describe('lab policy lint in another folder', () => {
  /** Runs `lab policy lint` as a program, for its standard input and current folder. */
  const spawnLint = (args: string[], input = '') =>
    spawnSync(process.execPath, [join(projectDir, 'scripts', 'lab.ts'), 'policy', 'lint', ...args], {
      cwd: folder,
      input,
      encoding: 'utf8',
      env: { ...process.env, LAB_DIR: folder, NO_COLOR: '1', NODE_COMPILE_CACHE: labPath('cache', 'compile') },
    })

  test('finds the policies below it', () => {
    mkdirSync(join(folder, 'deep', 'er'), { recursive: true })
    write('deep/er/a.yaml', readTestPolicy('rules/syscall-flag/bad.yaml'))
    const { status, stdout } = spawnLint(['.'])
    expect([status, stdout]).toEqual([1, expect.stringMatching(/^deep\/er\/a\.yaml:10: error syscall-flag/)])
  })

  test('reads standard input', () => {
    const { status, stdout } = spawnLint(['-'], readTestPolicy('rules/syscall-flag/bad.yaml'))
    expect([status, stdout]).toEqual([1, expect.stringMatching(/^stdin:10: error syscall-flag/)])
    expect(spawnLint(['-'], '').status).toBe(1)
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

  test('skips YAML files that are not about policies, and says how many', () => {
    const others = {
      'pod.yaml': 'kind: Pod\nmetadata: { name: TracingPolicy }\n',
      'crd.yaml': 'kind: CustomResourceDefinition\nspec: { names: { kind: TracingPolicy } }\n',
      'ci.yml': 'on: [push]\njobs: {}\n',
      'network.yaml': 'kind: NetworkPolicy\n',
      'list.yaml': 'kind: List\nitems: [{ kind: Pod }]\n',
    }
    for (const [file, text] of Object.entries(others)) write(file, text)
    write('a.yaml')
    expect(lintFiles([folder])).toMatchObject({ count: 1, skipped: Object.keys(others).length, findings: [] })
    expect(lintFiles([join(folder, 'ci.yml')]).findings).toMatchObject([{ rule: 'kind-of-object' }])
    expect(lintFiles([join(folder, 'ci.yml')], { onlyPolicies: true })).toEqual({ count: 0, skipped: 1, findings: [] })
  })

  test.each([
    ['a misspelt kind', 'kind: TracePolicy\n'],
    ['no kind', 'spec:\n  kprobes:\n    - call: tcp_connect\n'],
    ['a list of policies', 'kind: List\nitems:\n- kind: TracingPolicy\n'],
    ['a policy after another object', 'kind: Pod\n---\nkind: TracingPolicy\n'],
    ['a template', '{{- if .Values.on }}\nkind: {{ .Values.kind }} # TracingPolicy\n'],
    ['JSON', '{\n  "kind": "TracingPolicy"\n}\n'],
  ])('does not skip %s', (_, text) => {
    write('a.yaml', text)
    expect(lintFiles([folder]).count).toBe(1)
  })

  test('leaves out node_modules and hidden folders', () => {
    for (const name of ['node_modules', '.git']) {
      mkdirSync(join(folder, name))
      write(`${name}/a.yaml`)
    }
    write('a.yaml')
    expect(lintFiles([folder]).count).toBe(1)
  })

  test('reads a file that is named twice once', () => {
    write('a.yaml')
    expect(lintFiles([folder, join(folder, 'a.yaml'), `${folder}/./a.yaml`]).count).toBe(1)
  })

  test('reports text that is not UTF-8, with its line', () => {
    writeFileSync(join(folder, 'a.yaml'), Buffer.from(`${good}# caf\xe9\n`, 'latin1'))
    expect(lintFiles([folder]).findings).toMatchObject([
      { rule: 'yaml', level: 'error', line: good.split('\n').length, message: 'The file is not UTF-8 text' },
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
