import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readLock } from '../../../shared/lock.ts'
import { projectDir } from '../../../shared/paths.ts'

// `lab tetra` where a recording is replayed: tetra reads events from its standard input only if that is a real pipe, else it looks for
// an agent that is not there. The programs on PATH are fakes that say their pinned version.

const dir = mkdtempSync(join(tmpdir(), 'lab-tetra-'))
const bin = join(dir, 'bin')
const lock = readLock('')

function fake(name: string, script: string): void {
  const file = join(bin, name)
  writeFileSync(file, `#!/bin/sh\n${script}\n`)
  chmodSync(file, 0o755)
}

const lab = (...args: string[]) =>
  execa(process.execPath, [join(projectDir, 'scripts', 'lab.ts'), ...args], {
    env: { PATH: [bin, process.env.PATH].join(delimiter), LAB_DIR: dir, LAB_LOCK: '' },
    reject: false,
  })

beforeAll(() => {
  mkdirSync(bin)
  writeFileSync(join(dir, 'kubeconfig'), '')
  for (const name of ['pulumi', 'kind'] as const) fake(name, `echo v${lock.tools[name].version}`)
  for (const name of ['pulumi-resource-command', 'pulumi-resource-kubernetes']) fake(name, 'exit 1')
  fake(
    'kubectl',
    `case "$*" in
  version*) echo v${lock.tools.kubectl.version} ;;
  *daemonsets*) echo '{"items": [{"metadata": {"name": "tetragon-replay"}}]}' ;;
  *tail*) echo '{"process_exec": {}}' ;;
esac`,
  )
  fake(
    'tetra',
    `case "$1" in
  version) [ $# = 1 ] && echo "CLI version: v${lock.tools.tetra.version}" ;;
  getevents) [ -p /dev/stdin ] && echo "$*: $(cat)" ;;
esac`,
  )
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

test('reads the replayed events from a pipe', async () => {
  const { stdout, exitCode } = await lab('tetra', 'getevents', '-o', 'compact', '--pods', "it's")
  expect(stdout).toBe(`getevents -o compact --pods it's: {"process_exec": {}}`)
  expect(exitCode).toBe(0)
})

test('says which tetra it is', async () => {
  expect((await lab('tetra', 'version')).stdout).toBe(`CLI version: v${lock.tools.tetra.version}`)
})

test('says why it cannot ask an agent', async () => {
  const { stderr, exitCode } = await lab('tetra', 'status')
  expect(stderr).toContain('no agent runs here: the events are a recording')
  expect(exitCode).toBe(1)
})
