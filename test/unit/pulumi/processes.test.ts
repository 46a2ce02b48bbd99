import { existsSync } from 'node:fs'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { isPulumi, processesOf, stopRun } from '../../../scripts/pulumi/processes.ts'
import { labPath } from '../../../shared/paths.ts'
import { fakePulumi } from '../support/fake-pulumi.ts'
import { newFolder } from '../support/folders.ts'

beforeEach(() => {
  vi.stubEnv('LAB_DIR', newFolder())
})
afterEach(() => {
  vi.unstubAllEnvs()
})

it('recognizes a Pulumi that works on a stack, and no other process', async () => {
  const [update, about] = [fakePulumi('up'), fakePulumi('about')]
  expect(await Promise.all([update.pid, about.pid, 2 ** 30].map(isPulumi))).toEqual([true, false, false])
  update.end()
  about.end()
})

it.each([
  { pulumi: 'interrupts Pulumi', killed: undefined },
  { pulumi: 'finds a Pulumi that was killed', killed: 'SIGKILL' as const },
])('$pulumi, and kills what it has started, in another process group too', async ({ killed }) => {
  const ready = labPath('ready')
  const pulumi = fakePulumi(
    'up',
    `const { spawn } = require('node:child_process')
     spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)'], { detached: true, stdio: 'ignore' })
     require('node:fs').writeFileSync(${JSON.stringify(ready)}, '')
     setTimeout(() => {}, 60000)`,
  )
  await expect.poll(() => existsSync(ready), { timeout: 15_000 }).toBe(true)
  expect(await processesOf(pulumi.started.run)).toHaveLength(2)
  if (killed) {
    process.kill(pulumi.pid, killed)
    await pulumi.exit
    expect(await processesOf(pulumi.started.run)).toHaveLength(1)
  }
  await stopRun(pulumi.started)
  expect(await pulumi.exit).toBe(killed ?? 'SIGINT')
  expect(await processesOf(pulumi.started.run)).toEqual([])
})
