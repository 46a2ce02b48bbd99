import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { LabError } from './lab-error.ts'
import { labPath, projectDir } from './paths.ts'
import { at, explainSchemaError, type JsonSchema } from './validation/schema-errors.ts'
import { isMapping, readSingle, type SourceDocument } from './validation/yaml-source.ts'

// lab.lock.yaml pins every version, address and digest that the lab uses.

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'a sha256 digest of 64 hexadecimal digits')

const text = z.string().min(1)

const image = z.strictObject({
  repository: z
    .string()
    .regex(/^[^/\s]+(\/[^/\s]+)+$/, 'a full name with its registry, as in docker.io/grafana/loki')
    .describe('Full name with its registry, as in docker.io/grafana/loki.'),
  tag: text,
  /** If absent, the digest of the first pull is stored in .lab and required from then on. */
  digest: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/, 'sha256: and 64 hexadecimal digits')
    .optional(),
  /** If absent, the image is published for linux/amd64 and linux/arm64. */
  platforms: z.array(z.enum(['linux/amd64', 'linux/arm64'])).optional(),
})

const chart = z.strictObject({
  version: text,
  /**
   * An http(s) or file address, or a path relative to the lock file. `${NAME}` is replaced by that environment
   * variable.
   */
  url: text,
  /** If absent, the digest in the publisher's index is checked at the first download and stored in .lab. */
  sha256: sha256.optional(),
  /** The publisher's index.yaml. */
  index: z.string().optional(),
})

const tool = z.strictObject({
  version: text,
  /** Address with the placeholders {version}, {os} (linux, darwin), {arch} (amd64, arm64) and {cpu} (x64, arm64). */
  url: z.string().optional(),
  /** The publisher's checksum file, with the same placeholders. */
  checksums: z.string().optional(),
  /** Known digests, by `os-arch`. */
  sha256: z.record(z.string(), sha256).default({}),
  /**
   * Path of the program in the archive, or of a whole folder (ends in a slash). Absent if the download is the program.
   */
  member: z.string().optional(),
})

/** Names of the images that a lock file must have. */
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
  'memcached',
  'grafana',
  'otel-collector',
  'fluent-bit',
  'node',
  'redis',
  'k6',
  'guestbook-frontend',
  'guestbook-redis-leader',
  'guestbook-redis-follower',
] as const
/** Names of the charts that a lock file must have. */
export const chartNames = [
  'tetragon',
  'kube-prometheus-stack',
  'loki',
  'grafana',
  'opentelemetry-collector',
  'fluent-bit',
] as const
/** Names of the tools that a lock file must have. */
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

/** The contents of a lock file. */
export type Lock = z.infer<typeof lockSchema> & {
  /** The file it was read from: relative chart paths start in its folder. */
  file: string
}
export type LockedImage = z.infer<typeof image>
export type LockedTool = z.infer<typeof tool>

/**
 * Reads the lock file.
 *
 * The entries of a file given by `LAB_LOCK` (or `--lock`) replace those of lab.lock.yaml. An entry is replaced as a
 * whole, so a digest never outlives the version it belongs to.
 * @param override the file whose entries replace others; empty for none.
 * @param base the lab's own lock file; tests pass another.
 * @throws LabError for a file that is missing, not YAML or not a lock file.
 */
export function readLock(override = process.env.LAB_LOCK, base = join(projectDir, 'lab.lock.yaml')): Lock {
  const restore = `git checkout ${base}`
  const own = loadLock(base, restore, restore)
  if (!override) return { ...checkLock(own.value, base, own, restore), file: base }
  const file = resolve(override)
  const correct = 'correct that line, or run without LAB_LOCK and --lock'
  const overlay = loadLock(file, correct, 'give an existing file with --lock FILE, or unset LAB_LOCK')
  const merged: Record<string, unknown> = { ...own.value, ...overlay.value }
  for (const section of sections)
    merged[section] = { ...(own.value[section] as object), ...(overlay.value[section] as object | undefined) }
  return { ...checkLock(merged, file, overlay, correct), file }
}

const sections = ['charts', 'images', 'tools'] as const
const lockShape = 'a file like lab.lock.yaml'

interface LockSource extends SourceDocument {
  value: Record<string, unknown>
}

/** Reads a lock file as YAML. `correct` is the fix for wrong contents, `replace` for a file that cannot be read. */
function loadLock(file: string, correct: string, replace: string): LockSource {
  const invalid = (found: string, expected?: string): LabError => new LabError({ found, expected, next: correct })
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    const problems: Record<string, string> = {
      EISDIR: `The lock file ${file} is a folder`,
      EACCES: `The lock file ${file} cannot be read: permission denied`,
    }
    const found = problems[(cause as NodeJS.ErrnoException).code ?? ''] ?? `There is no lock file at ${file}`
    throw new LabError({ found, next: replace, cause })
  }
  const document = readSingle(text)
  const [problem] = document.errors
  if (problem) throw invalid(`${file}, line ${problem.line}: ${problem.message}`)
  const value = document.value ?? {}
  if (!isMapping(value)) throw invalid(`${file} is ${Array.isArray(value) ? 'a list' : 'plain text'}`, lockShape)
  for (const section of sections)
    if (value[section] !== undefined && value[section] !== null && !isMapping(value[section]))
      throw invalid(`${file}, line ${document.line([section])}: ${section} has no names below it`, lockShape)
  return { ...document, value }
}

function checkLock(value: unknown, file: string, source: LockSource, next: string): z.infer<typeof lockSchema> {
  const parsed = lockSchema.safeParse(value)
  if (parsed.success) return parsed.data
  jsonSchema ??= z.toJSONSchema(lockSchema, { io: 'input' }) as JsonSchema
  const { path, found, expected } = explainSchemaError(parsed.error, value, jsonSchema)
  // A value that comes from lab.lock.yaml has no line in the overlay.
  const hasLine = at(source.value, path.slice(0, 2)) !== undefined
  throw new LabError({ found: `${file}${hasLine ? `, line ${source.line(path)}` : ''}: ${found}`, expected, next })
}

let jsonSchema: JsonSchema | undefined

/** Returns the name by which Docker and Kubernetes know an image: repository and tag. */
export const imageRef = (image: LockedImage): string => `${image.repository}:${image.tag}`

/** Splits an image name as chart values need it. */
export function imageParts(image: LockedImage): { registry: string; repository: string; tag: string } {
  const slash = image.repository.indexOf('/')
  return { registry: image.repository.slice(0, slash), repository: image.repository.slice(slash + 1), tag: image.tag }
}

/** Returns the path of a chart's archive after its download. */
export const chartFile = (lock: Lock, name: ChartName): string =>
  labPath('charts', `${name}-${lock.charts[name].version}.tgz`)
