import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import { kernelDecision } from '../../../scripts/kernel/decision.ts'
import { judgeAgentLog, judgeProcMount, verifySource } from '../../../scripts/verify/source-health.ts'
import { readLock } from '../../../shared/lock.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { wsl } from '../kernel/probes.ts'
import { newFolder } from '../support/folders.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

const machine = 'pid:[4026531836]'
const engine = 'pid:[4026532241]'
const warning = 'level=warn msg="Tetragon pid file creation failed: procfs does not appear to be host procfs"'

it('passes when the agent has the machine’s /proc', () => {
  expect(judgeProcMount(machine, 'live', 'machine')).toMatchObject({ result: 'ok' })
  expect(judgeAgentLog('level=info msg="Starting tetragon"', 'machine')).toMatchObject({ result: 'ok' })
})

it('skips both checks where Docker runs in a PID namespace of its own, as with WSL 2 and OrbStack', () => {
  for (const check of [judgeProcMount(engine, 'live', 'engine'), judgeAgentLog(warning, 'engine')]) {
    expect(check.result).toBe('skip')
    expect(check.found).toContain('Docker runs in a PID namespace of its own here')
  }
})

it('fails when the machine has its processes in view, but the agent does not', () => {
  expect(judgeProcMount(engine, 'live', 'machine')).toMatchObject({ result: 'fail', found: engine, expected: machine })
  expect(judgeAgentLog(warning, 'machine')).toMatchObject({ result: 'fail' })
})

it('fails when /procHost cannot be read, whatever the engine', () => {
  expect(judgeProcMount('no such file', 'live', 'engine')).toMatchObject({ result: 'fail', found: 'no such file' })
})

it('does not need the machine’s /proc for a replay', () => {
  expect(judgeProcMount(engine, 'replay', 'machine')).toMatchObject({ result: 'skip' })
})

it('takes the engine’s PID namespace from the kernel probe', async () => {
  const folder = newFolder()
  const node = {
    metadata: { name: 'worker' },
    spec: {},
    status: { nodeInfo: { kernelVersion: '6.18', architecture: 'amd64', bootID: 'a' } },
  }
  const answers = [
    [' get nodes ', JSON.stringify({ items: [node] })],
    [' run ', wsl],
    [' get daemonsets ', JSON.stringify({ items: [{ metadata: { name: 'tetragon' } }] })],
    [' logs ', warning],
    [' exec ', '100'],
  ]
  const cases = answers.map(([pattern, answer]) => `*'${pattern}'*) cat <<'END'\n${answer}\nEND\n;;`).join('\n')
  writeFileSync(join(folder, 'kubectl'), `#!/bin/sh\ncase "$*" in\n${cases}\nesac\n`, { mode: 0o755 })
  vi.stubEnv('LAB_DIR', folder)
  const settings = parseSettings({ cluster: { mode: 'existing', context: 'school' } })
  const env = { PATH: `${folder}:${process.env.PATH}`, KUBECONFIG: join(folder, 'kubeconfig') }
  expect(await kernelDecision({ cluster: settings.cluster, env })).toMatchObject({ probed: 'node', source: 'live' })
  const checks = await verifySource({ settings, env, lock: readLock() })
  expect(checks.map(({ title, result }) => [title, result])).toEqual([
    ['event source', 'ok'],
    ['the agent reads the machine’s /proc', 'skip'],
    ['event file on the node', 'ok'],
  ])
})
