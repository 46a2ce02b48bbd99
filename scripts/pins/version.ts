/** A version or an image's tag in parts: `v3.14.0-distroless` has the prefix `v` and the suffix `-distroless`. */
interface Parts {
  prefix: string
  numbers: number[]
  suffix: string
}

function partsOf(version: string): Parts | undefined {
  const [, prefix, numbers, suffix] = /^(v?)(\d+(?:\.\d+)*)(.*)$/.exec(version) ?? []
  return numbers === undefined
    ? undefined
    : { prefix: prefix!, numbers: numbers.split('.').map(Number), suffix: suffix! }
}

/** Returns whether two versions differ in their numbers only: the same variant, with as many numbers. */
function isSameVariant(one: Parts, other: Parts): boolean {
  return one.prefix === other.prefix && one.suffix === other.suffix && one.numbers.length === other.numbers.length
}

/** Compares two versions of the same variant by their numbers. Any other text is equal to everything. */
export function compareVersions(one: string, other: string): number {
  const [first, second] = [partsOf(one)?.numbers ?? [], partsOf(other)?.numbers ?? []]
  const at = first.findIndex((number, index) => number !== second[index])
  return at < 0 ? 0 : first[at]! - (second[at] ?? 0)
}

/**
 * Returns the newest of these versions that is of the same variant as the current one. So a release candidate is never
 * the newest of releases, and `7-alpine` leads to `8-alpine`, not to `8.2.1-alpine`.
 * @returns the current version if none is newer.
 */
export function newestVersion(current: string, versions: readonly string[]): string {
  const parts = partsOf(current)
  if (!parts) return current
  return versions.reduce((newest, version) => {
    const candidate = partsOf(version)
    return candidate && isSameVariant(candidate, parts) && compareVersions(version, newest) > 0 ? version : newest
  }, current)
}

/** Returns which number of a version the step to another one changes; undefined for none of them. */
export function changeBetween(current: string, next: string): 'major' | 'minor' | 'patch' | undefined {
  const [from, to] = [partsOf(current)?.numbers ?? [], partsOf(next)?.numbers ?? []]
  const at = from.findIndex((number, index) => number !== to[index])
  return at < 0 ? undefined : ((['major', 'minor'] as const)[at] ?? 'patch')
}

/** Returns a version as another variant writes it: 1.13.0 like `v1.12.1-distroless` is `v1.13.0-distroless`. */
export function likeVariant(version: string, variant: string): string {
  const [numbers, like] = [partsOf(version)?.numbers, partsOf(variant)]
  return numbers && like ? `${like.prefix}${numbers.join('.')}${like.suffix}` : version
}
