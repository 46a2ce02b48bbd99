import { execa } from 'execa'
import { expect, it, vi } from 'vitest'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { runLab } from '../support/run-lab.ts'

// The settings of this checkout are others.
vi.mock('../../../shared/settings/stack-file.ts', async original => ({
  ...(await original<object>()),
  readSettings: () => parseSettings({ tetragon: { source: 'replay' } }),
}))
vi.mock('execa', async original => ({ ...(await original<object>()), execa: vi.fn() }))

it('lab test live starts no test with a replay, and says why', async () => {
  vi.stubEnv('LAB_TEST_LIVE_LAB', '')
  const { stderr, exitCode } = await runLab('test', 'live')
  vi.unstubAllEnvs()
  expect(stderr).toBe(`Error     No agent can run here: tetragon.source is set to replay
Expected  a lab with a live agent
Fix       ./lab doctor
`)
  expect(exitCode).toBe(1)
  expect(execa).not.toHaveBeenCalled()
})
