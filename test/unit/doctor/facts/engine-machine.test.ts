import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseEngineProbe } from '../../../../scripts/doctor/facts/engine-machine.ts'
import { projectDir } from '../../../../shared/paths.ts'

test.runIf(process.platform === 'linux')('reads every value that engine-probe.sh prints on this machine', () => {
  const probe = execFileSync('sh', [join(projectDir, 'scripts/doctor/facts/engine-probe.sh')], { encoding: 'utf8' })
  const { freeDiskBytes, availableMemoryBytes, inotify, tetragonAgents } = parseEngineProbe(probe)
  expect(freeDiskBytes).toBeGreaterThan(1e6)
  expect(availableMemoryBytes).toBeGreaterThan(1e6)
  expect(inotify?.instances).toBeGreaterThan(0)
  expect(inotify?.watches).toBeGreaterThan(0)
  expect(tetragonAgents).toBeGreaterThanOrEqual(0)
})

test('reads nothing from an error message', () => {
  expect(parseEngineProbe('docker: something went wrong')).toEqual({})
})
