import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { projectDir } from '../../../shared/paths.ts'

it('the README shows how to start and remove the lab, with ./lab and with plain Pulumi', () => {
  const [start] = readFileSync(join(projectDir, 'README.md'), 'utf8').split('\n## ')
  for (const command of ['./lab up', './lab down', 'npm ci && pulumi stack init dev && pulumi up', 'pulumi destroy'])
    expect(start).toMatch(new RegExp(`^${command}\\b`, 'm'))
})
