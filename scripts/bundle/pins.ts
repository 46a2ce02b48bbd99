import { imageRef, type Lock, type LockedImage } from '../../shared/lock.ts'

/** What a lock pins, one text each by what it is for: `charts.loki` is `18.11.0 sha256:…`. Addresses are left out: where a thing comes from does not change it. */
export type Pins = Record<string, string>

/** The pins of a lock. */
export function pinsOf(lock: Lock): Pins {
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

/** The names that two sets of pins do not agree on. */
export const differing = (one: Pins, other: Pins): string[] =>
  [...new Set([...Object.keys(one), ...Object.keys(other)])].filter(name => one[name] !== other[name]).sort()
