import { basename } from 'node:path'
import { LabError } from '../../shared/lab-error.ts'
import { readArchiveFiles } from './archive-files.ts'

const crdFile = /\/crds\/crd-([a-z]+)\.yaml$/

/**
 * Returns the CRDs of these names in a chart, or in a chart inside it, as one YAML stream.
 * @throws LabError when the chart lacks one of them.
 */
export async function readCrds(chart: string, names: readonly string[]): Promise<string> {
  const files = await readArchiveFiles(chart, crdFile)
  const crds = new Map([...files].map(([path, content]) => [crdFile.exec(path)![1]!, content]))
  const missing = names.filter(name => !crds.has(name))
  if (missing.length > 0)
    throw new LabError({
      found: `The chart ${basename(chart)} has no CRD ${missing.join(', ')}`,
      next: 'set another version of the chart in lab.lock.yaml',
    })
  return names.map(name => crds.get(name)).join('\n---\n')
}
