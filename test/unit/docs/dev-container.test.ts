import { accessSync, constants, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { projectDir } from '../../../shared/paths.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'

interface DevContainer {
  features: Record<string, object>
  hostRequirements: { cpus: number; memory: string }
  forwardPorts: number[]
  portsAttributes: Record<string, { label: string }>
  postCreateCommand: string
}

test('the dev container has an engine, enough of a machine, a label for each port, and prefetches', async () => {
  // The reference implementation reads it, as Codespaces and editors do.
  const { stdout } = await execa(
    'devcontainer',
    // No engine is asked for a running container.
    ['read-configuration', '--workspace-folder', '.', '--docker-path', 'true'],
    { cwd: projectDir, preferLocal: true, stdin: 'ignore' },
  )
  const { configuration } = JSON.parse(stdout) as { configuration: DevContainer }
  expect(Object.keys(configuration.features)).toEqual([expect.stringMatching(/\/docker-in-docker:\d/)])
  expect(configuration.hostRequirements).toMatchObject({ cpus: 4, memory: '16gb' })
  const ports = Object.values(parseSettings({}).ports)
  expect(configuration.forwardPorts.toSorted()).toEqual(ports.toSorted())
  for (const port of ports) expect(configuration.portsAttributes[port]?.label, String(port)).toBeTruthy()
  const script = join(projectDir, configuration.postCreateCommand)
  accessSync(script, constants.X_OK)
  expect(readFileSync(script, 'utf8')).toMatch(/^\.\/lab prefetch$/m)
})
