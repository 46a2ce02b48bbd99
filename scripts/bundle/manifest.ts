import { z } from 'zod'
import { chartNames, toolNames } from '../../shared/lock.ts'

// What a bundle is: one tar, uncompressed, of files that are compressed already, and first among them these two.
//
//   manifest.json                               what is in it and for whom
//   SHA256SUMS                                  of each file in it, as sha256sum writes them; the launcher reads it before there is a Node
//   packages/<digest of package-lock.json>.tar.gz   node_modules, the same for every platform
//   tools/<platform>/<name>-<version>/…         what the publisher gives, as it is
//   charts/<name>-<version>.tgz                 the same
//   images/<digest>.json                        an image's configuration, which names its layers
//   layers/<digest when unpacked>.tar.gz        a layer, once for all images and platforms that have it

/** The format; another number for one that this program cannot read. */
export const format = 1

export const manifestPath = 'manifest.json'
export const sumsPath = 'SHA256SUMS'

/** Enough digits of a digest to tell one package-lock.json from another; the launcher cuts off the same. */
export const packagesPath = (lockDigest: string): string => `packages/${lockDigest.slice(0, 12)}.tar.gz`

const digest = z.string().regex(/^[0-9a-f]{64}$/)
const platform = z.string().regex(/^(linux|darwin)\/(amd64|arm64)$/)
const member = z.strictObject({
  /** In bytes. */
  size: z.int().min(0),
  sha256: digest,
})

const manifestSchema = z.strictObject({
  bundle: z.literal(format),
  /** Version of the lab that made it. */
  lab: z.string(),
  /** When, in ISO 8601. */
  created: z.string(),
  /** Machines that it is for. */
  platforms: z.array(platform).min(1),
  /** What the lock pinned; see pins.ts. */
  pins: z.record(z.string(), z.string()),
  packages: z.string(),
  tools: z.array(z.strictObject({ name: z.enum(toolNames), version: z.string(), platform, path: z.string() })),
  charts: z.array(z.strictObject({ name: z.enum(chartNames), version: z.string(), path: z.string() })),
  images: z.array(
    z.strictObject({
      /** Repository and tag. */
      ref: z.string(),
      /** Of the engine that runs it. */
      platform,
      /** The digest that its registry knew it by; absent for one that was built where the bundle was made. */
      digest: z
        .string()
        .regex(/^sha256:[0-9a-f]{64}$/)
        .optional(),
      config: z.string(),
      /** From the lowest to the highest; one may stand there twice. */
      layers: z.array(z.string()),
    }),
  ),
  /** Bytes of a layer when it is unpacked, by path. */
  unpacked: z.record(z.string(), z.int().min(0)),
  /** Each file of it but the first two, by path. */
  members: z.record(z.string(), member),
})

/** What is in a bundle. */
export type Manifest = z.infer<typeof manifestSchema>
/** A file in a bundle. */
export type Member = z.infer<typeof member>
export type BundledImage = Manifest['images'][number]

/** What a manifest must have for us to say more of it than that it cannot be read. */
const anyFormat = z.object({ bundle: z.int(), lab: z.string() })

/**
 * Reads a manifest.
 * @returns its format's number where that is another one, undefined where the text is no manifest.
 */
export function parseManifest(text: string): Manifest | { bundle: number; lab: string } | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const whole = manifestSchema.safeParse(value)
  if (whole.success) return whole.data.bundle === format && complete(whole.data) ? whole.data : undefined
  const other = anyFormat.safeParse(value)
  return other.success && other.data.bundle !== format ? other.data : undefined
}

/** Every file that is spoken of is there. */
const complete = ({ packages, tools, charts, images, members, unpacked }: Manifest): boolean =>
  [packages, ...[...tools, ...charts].map(({ path }) => path), ...images.flatMap(pathsOf)].every(
    path => path in members,
  ) && images.every(({ layers }) => layers.every(path => path in unpacked))

/** The files that an image consists of, each once. */
export const pathsOf = ({ config, layers }: Pick<BundledImage, 'config' | 'layers'>): string[] => [
  ...new Set([config, ...layers]),
]

/** `SHA256SUMS` of a bundle. */
export const sumsOf = (members: Record<string, Pick<Member, 'sha256'>>): string =>
  Object.entries(members)
    .map(([path, { sha256 }]) => `${sha256}  ${path}\n`)
    .join('')
