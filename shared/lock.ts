import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { LabError } from './lab-error.ts'
import { labPath, projectDir } from './paths.ts'
import { at, explainSchemaError, type JsonSchema } from './validation/schema-errors.ts'
import { readSingle, type SourceDocument } from './validation/yaml-source.ts'

// What is pinned: every version, address and digest that the lab uses. Nothing floats.

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'a sha256 digest of 64 hexadecimal digits')

const text = z.string().min(1)

const image = z.strictObject({
  repository: z
    .string()
    .regex(/^[^/\s]+(\/[^/\s]+)+$/, 'a full name with its registry, as in docker.io/grafana/loki')
    .describe('Full name with its registry, as in docker.io/grafana/loki.'),
  tag: text,
  /** Absent: taken from the registry at the first pull, then remembered in .lab and required. */
  digest: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/, 'sha256: and 64 hexadecimal digits')
    .optional(),
  /** Absent: published for linux/amd64 and linux/arm64. */
  platforms: z.array(z.enum(['linux/amd64', 'linux/arm64'])).optional(),
})

const chart = z.strictObject({
  version: text,
  /** An http(s) or file address, or a path relative to the lock file. `${NAME}` is replaced by that environment variable. */
  url: text,
  /** Absent: the digest that the publisher's own index gives for this version, checked and remembered at the first fetch. */
  sha256: sha256.optional(),
  /** The publisher's index.yaml. */
  index: z.string().optional(),
})

const tool = z.strictObject({
  version: text,
  /** Address with {version}, {os} (linux, darwin), {arch} (amd64, arm64) and, for publishers that say so, {cpu} (x64, arm64). */
  url: z.string().optional(),
  /** The publisher's checksum file, with the same places. */
  checksums: z.string().optional(),
  /** Digests known in advance, by `os-arch`. */
  sha256: z.record(z.string(), sha256).default({}),
  /** Path of the program inside the archive; absent where the download is the program itself. A folder, with a slash at the end, is taken whole. */
  member: z.string().optional(),
})

/** Names of the images that a lock must hold. */
export const imageNames = [
  'tetragon',
  'tetragon-operator',
  'tetragon-export-stdout',
  'tetragon-rthooks',
  'prometheus',
  'prometheus-operator',
  'prometheus-config-reloader',
  'kube-state-metrics',
  'node-exporter',
  'loki',
  'grafana',
  'otel-collector',
  'fluent-bit',
  'node',
  'redis',
  'k6',
  'guestbook-frontend',
  'guestbook-redis-follower',
] as const
/** Names of the charts that a lock must hold. */
export const chartNames = [
  'tetragon',
  'kube-prometheus-stack',
  'loki',
  'grafana',
  'opentelemetry-collector',
  'fluent-bit',
] as const
/** Names of the tools that a lock must hold. */
export const toolNames = [
  'node',
  'pulumi',
  'pulumi-resource-command',
  'pulumi-resource-kubernetes',
  'kind',
  'kubectl',
  'tetra',
] as const

export type ImageName = (typeof imageNames)[number]
export type ChartName = (typeof chartNames)[number]
export type ToolName = (typeof toolNames)[number]

const lockSchema = z.strictObject({
  version: z.literal(1),
  nodeImage: image,
  charts: z.record(z.enum(chartNames), chart),
  images: z.record(z.enum(imageNames), image),
  tools: z.record(z.enum(toolNames), tool),
})

/** A whole lock file. */
export type Lock = z.infer<typeof lockSchema> & {
  /** Where it was read from: relative chart paths start in its folder. */
  file: string
}
export type LockedImage = z.infer<typeof image>
export type LockedChart = z.infer<typeof chart>
export type LockedTool = z.infer<typeof tool>

/**
 * Reads the pins.
 *
 * A file given by `LAB_LOCK` (or `--lock`) is laid over the lab's own: what it names replaces, the rest stays. An entry is replaced
 * whole, so a digest never outlives the version it belongs to.
 * @param own the lab's own, for tests.
 * @throws LabError for a file that is missing, not YAML or not a lock: its line, what is wrong there, what would be right.
 */
export function readLock(override = process.env.LAB_LOCK, own = join(projectDir, 'lab.lock.yaml')): Lock {
  const base = load(own, `git checkout ${own}`)
  if (!override) return { ...check(base.value, own, base, `git checkout ${own}`), file: own }
  const file = resolve(override)
  const over = load(file, instead)
  const merged: Record<string, unknown> = { ...base.value, ...over.value }
  for (const section of ['charts', 'images', 'tools'])
    merged[section] = { ...(base.value[section] as object), ...(over.value[section] as object | undefined) }
  return { ...check(merged, file, over, instead), file }
}

const instead = 'mend that line, or do without the file: unset LAB_LOCK, no --lock'
const another = 'name another with --lock FILE, or do without: unset LAB_LOCK'

interface LockSource extends SourceDocument {
  value: Record<string, unknown>
}

function load(file: string, next: string): LockSource {
  const wrong = (found: string): LabError => new LabError({ found, expected: 'a file like lab.lock.yaml', next })
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const found =
      code === 'EISDIR'
        ? `the lock ${file} is a folder`
        : code === 'EACCES'
          ? `the lock ${file} may not be read`
          : `no lock file at ${file}`
    throw new LabError({ found, expected: 'a file like lab.lock.yaml', next: next === instead ? another : next, cause })
  }
  const document = readSingle(text)
  const [broken] = document.errors
  if (broken) throw wrong(`${file}, line ${broken.line}: ${broken.message}`)
  const value = document.value ?? {}
  if (!isMap(value)) throw wrong(`${file} is ${Array.isArray(value) ? 'a list' : 'a text'} as YAML`)
  for (const section of ['charts', 'images', 'tools'])
    if (value[section] !== undefined && value[section] !== null && !isMap(value[section]))
      throw wrong(`${file}, line ${document.line([section])}: ${section} has no names below it`)
  return { ...document, value }
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function check(value: unknown, file: string, source: LockSource, next: string): z.infer<typeof lockSchema> {
  const parsed = lockSchema.safeParse(value)
  if (parsed.success) return parsed.data
  known ??= z.toJSONSchema(lockSchema, { io: 'input' }) as JsonSchema
  const { path, found, expected = 'a file like lab.lock.yaml' } = explainSchemaError(parsed.error, value, known)
  // What comes from the file below has no line in this one.
  const here = at(source.value, path.slice(0, 2)) !== undefined
  throw new LabError({ found: `${file}${here ? `, line ${source.line(path)}` : ''}: ${found}`, expected, next })
}

let known: JsonSchema | undefined

/** The name by which Docker and Kubernetes know an image: repository and tag. */
export const imageRef = (image: LockedImage): string => `${image.repository}:${image.tag}`

/** A chart's values want registry and repository apart. */
export function imageParts(image: LockedImage): { registry: string; repository: string; tag: string } {
  const slash = image.repository.indexOf('/')
  return { registry: image.repository.slice(0, slash), repository: image.repository.slice(slash + 1), tag: image.tag }
}

/** Where a chart's archive is kept once it was fetched and checked. */
export const chartFile = (lock: Lock, name: ChartName): string =>
  labPath('charts', `${name}-${lock.charts[name].version}.tgz`)
