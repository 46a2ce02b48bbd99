import { z } from 'zod'
import { chartNames, imageRef, type Lock, type LockedImage, toolNames } from '../../shared/lock.ts'

// An offline bundle is one uncompressed tar with these members, in this order:
//
//   manifest.json                                   what it contains and for which machines
//   SHA256SUMS                                      digests of all members; the launcher reads it before Node exists
//   packages/<digest of package-lock.json>.tar.gz   node_modules, the same for every platform
//   tools/<platform>/<name>-<version>/…             the publisher's archive, unchanged
//   charts/<name>-<version>.tgz                     the publisher's archive, unchanged
//   images/<digest>.json                            an image's configuration, which names its layers
//   layers/<digest of unpacked layer>.tar.gz        a layer, stored once for all images and platforms that share it

/** Version of the format, increased when older labs can no longer read it. */
export const bundleFormat = 1

export const manifestPath = 'manifest.json'
export const checksumsPath = 'SHA256SUMS'

/** Returns the path of the npm packages. The launcher shortens the digest of package-lock.json in the same way. */
export const packagesPath = (lockDigest: string): string => `packages/${lockDigest.slice(0, 12)}.tar.gz`

const digest = z.string().regex(/^[0-9a-f]{64}$/)
const platform = z.string().regex(/^(linux|darwin)\/(amd64|arm64)$/)
const member = z.strictObject({
  /** Bytes. */
  size: z.int().min(0),
  sha256: digest,
})

const manifestSchema = z.strictObject({
  bundle: z.literal(bundleFormat),
  /** Version of the lab that created it. */
  lab: z.string(),
  /** Time of creation in ISO 8601. */
  created: z.string(),
  /** Machines that it is for. */
  platforms: z.array(platform).min(1),
  /** What the lock pinned; see `pinsOf`. */
  pins: z.record(z.string(), z.string()),
  packages: z.string(),
  tools: z.array(z.strictObject({ name: z.enum(toolNames), version: z.string(), platform, path: z.string() })),
  charts: z.array(z.strictObject({ name: z.enum(chartNames), version: z.string(), path: z.string() })),
  images: z.array(
    z.strictObject({
      /** Repository and tag. */
      ref: z.string(),
      /** Platform of the engine. */
      platform,
      /** The digest in its registry; absent for an image that was built on the machine that created the bundle. */
      digest: z
        .string()
        .regex(/^sha256:[0-9a-f]{64}$/)
        .optional(),
      config: z.string(),
      /** From lowest to highest. The same layer may occur twice. */
      layers: z.array(z.string()),
    }),
  ),
  /** Size of each unpacked layer in bytes, by path. */
  unpacked: z.record(z.string(), z.int().min(0)),
  /** Every member but the first two, by path. */
  members: z.record(z.string(), member),
})

export type Manifest = z.infer<typeof manifestSchema>
export type BundleMember = z.infer<typeof member>
export type BundledImage = Manifest['images'][number]

/** The fields that every format has, so that a later one can be named in the error. */
const anyFormat = z.object({ bundle: z.int(), lab: z.string() })

/**
 * Reads a manifest.
 * @returns only its format and lab version where the format is another one, undefined where the text is not a manifest.
 */
export function parseManifest(text: string): Manifest | { bundle: number; lab: string } | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const manifest = manifestSchema.safeParse(value)
  if (manifest.success) return isComplete(manifest.data) ? manifest.data : undefined
  const other = anyFormat.safeParse(value)
  return other.success && other.data.bundle !== bundleFormat ? other.data : undefined
}

/** Returns whether every path in the manifest is a member. */
const isComplete = ({ packages, tools, charts, images, members, unpacked }: Manifest): boolean =>
  [packages, ...[...tools, ...charts].map(({ path }) => path), ...images.flatMap(imagePaths)].every(
    path => path in members,
  ) && images.every(({ layers }) => layers.every(path => path in unpacked))

/** Returns the members of an image, each once. */
export const imagePaths = ({ config, layers }: Pick<BundledImage, 'config' | 'layers'>): string[] => [
  ...new Set([config, ...layers]),
]

/** Returns the size of members in bytes. */
export const sizeOfMembers = ({ members }: Manifest, paths: readonly string[]): number =>
  paths.reduce((sum, path) => sum + members[path]!.size, 0)

/** Returns the content of `SHA256SUMS`. */
export const checksumLines = (members: Record<string, Pick<BundleMember, 'sha256'>>): string =>
  Object.entries(members)
    .map(([path, { sha256 }]) => `${sha256}  ${path}\n`)
    .join('')

/**
 * Returns what a lock pins by name, for example `charts.loki`: `18.11.0 sha256:…`. URLs are left out, because the same
 * file may come from a mirror.
 */
export function pinsOf(lock: Lock): Record<string, string> {
  const image = (locked: LockedImage): string => imageRef(locked) + (locked.digest ? `@${locked.digest}` : '')
  const digests = (sha256: Record<string, string>): string =>
    Object.entries(sha256)
      .sort()
      .map(([platform, digest]) => ` ${platform}:${digest}`)
      .join('')
  return Object.fromEntries([
    ['nodeImage', image(lock.nodeImage)],
    ...Object.entries(lock.charts).map(([name, { version, sha256 }]) => [
      `charts.${name}`,
      version + (sha256 ? ` sha256:${sha256}` : ''),
    ]),
    ...Object.entries(lock.images).map(([name, locked]) => [`images.${name}`, image(locked)]),
    ...Object.entries(lock.tools).map(([name, { version, sha256 }]) => [`tools.${name}`, version + digests(sha256)]),
  ])
}

/** Returns the names of the pins that differ. */
export const differingPins = (one: Record<string, string>, other: Record<string, string>): string[] =>
  [...new Set([...Object.keys(one), ...Object.keys(other)])].filter(name => one[name] !== other[name]).sort()
