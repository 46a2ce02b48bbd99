import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { create } from 'tar'
import { expect, it } from 'vitest'
import { readCrds } from '../../../scripts/supplies/chart-crds.ts'
import { newFolder } from '../support/folders.ts'

async function chartWith(...names: string[]): Promise<string> {
  const folder = newFolder()
  const crds = join(folder, 'stack', 'charts', 'crds', 'crds')
  mkdirSync(crds, { recursive: true })
  for (const name of names) writeFileSync(join(crds, `crd-${name}.yaml`), `# The CRD ${name}\n`)
  const file = join(folder, 'stack-1.0.0.tgz')
  await create({ file, cwd: folder, gzip: true }, ['stack'])
  return file
}

it('returns the named CRDs of a chart inside the chart', async () => {
  const text = await readCrds(await chartWith('probes', 'rules', 'agents'), ['rules', 'probes'])
  expect(
    text
      .split('---')
      .map(part => part.trim())
      .sort(),
  ).toEqual(['# The CRD probes', '# The CRD rules'])
})

it('says which CRD a chart lacks', async () => {
  await expect(readCrds(await chartWith('probes'), ['probes', 'rules'])).rejects.toMatchObject({
    found: 'The chart stack-1.0.0.tgz has no CRD rules',
  })
})
