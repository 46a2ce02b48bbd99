// Copies the TracingPolicy schemas from a Tetragon chart to policies/schema/. Run it by hand when the pinned chart
// changes:
//   node scripts/policy/model/vendor-schema.ts .lab/charts/tetragon-1.7.0.tgz
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { extract } from 'tar'
import { parse } from 'yaml'
import { schemaFile } from './crd-schema.ts'

const [, , chart] = process.argv
if (!chart) {
  console.error('usage: node scripts/policy/model/vendor-schema.ts CHART.tgz')
  process.exit(2)
}

interface CustomResource {
  spec: { names: { kind: string }; versions: { name: string; schema: { openAPIV3Schema: object } }[] }
}

const folder = mkdtempSync(join(tmpdir(), 'chart-'))
try {
  await extract({ file: chart, cwd: folder })
  const root = join(folder, 'tetragon')
  const { version } = parse(readFileSync(join(root, 'Chart.yaml'), 'utf8')) as { version: string }
  const kinds: Record<string, object> = {}
  for (const file of readdirSync(join(root, 'crds-yaml')).sort()) {
    const { spec } = parse(readFileSync(join(root, 'crds-yaml', file), 'utf8')) as CustomResource
    if (spec.names.kind.startsWith('TracingPolicy')) kinds[spec.names.kind] = spec.versions[0]!.schema.openAPIV3Schema
  }
  writeFileSync(
    schemaFile,
    `${JSON.stringify({ source: `cilium/tetragon chart ${version}`, version, kinds }, withoutDescriptions)}\n`,
  )
  console.log(`${schemaFile}: ${Object.keys(kinds).join(', ')} of chart ${version}`)
} finally {
  rmSync(folder, { recursive: true })
}

/** Drops the descriptions. A property named `description` is an object, so it stays. */
function withoutDescriptions(key: string, value: unknown): unknown {
  return key === 'description' && typeof value === 'string' ? undefined : value
}
