import { expect, it } from 'vitest'
import { judgeAgentLog, judgeProcMount } from '../../../scripts/verify/source-health.ts'

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
