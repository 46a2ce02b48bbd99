import { LabError } from '../../shared/lab-error.ts'
import type { Lock, ToolName } from '../../shared/lock.ts'
import { fetchText } from '../supplies/download.ts'
import { expandUrl, parsePlatforms } from '../supplies/platform.ts'
import { digestInChecksums } from '../supplies/published-digests.ts'
import { request } from './request.ts'

// Releases of programs. Where a program is published follows from its address in the lock file.

/** The platforms on which the lab runs, with the name that the lock file gives each. */
const platforms = parsePlatforms('linux/amd64,linux/arm64,darwin/amd64,darwin/arm64')

/** The repository on GitHub, or on a server with the same addresses, that an address of a release belongs to. */
interface GitHubRepository {
  origin: string
  repository: string
  /** Name of a release's tag, as in `v{version}`. */
  tag: string
}

/** Returns the newest version of a program. @throws LabError when its publisher does not say. */
export async function newestRelease(lock: Lock, name: ToolName): Promise<string> {
  const url = addressOf(lock, name)
  const what = `the releases of ${name}`
  const github = gitHubRepository(url)
  if (github) return newestOnGitHub(what, github)
  // nodejs.org
  const [nodeFolder] = /^.*(?=v\{version\}\/node-)/.exec(url) ?? []
  if (nodeFolder) {
    const releases = JSON.parse(await fetchText(what, new URL('index.json', nodeFolder))) as {
      version: string
      lts: string | false
    }[]
    const newest = releases.find(({ lts }) => lts)
    if (newest) return newest.version.replace(/^v/, '')
  }
  throw unknownPublisher(lock, name)
}

/** GitHub redirects `releases/latest` to the newest release. Unlike its API, this has no rate limit. */
async function newestOnGitHub(what: string, { origin, repository, tag }: GitHubRepository): Promise<string> {
  const url = new URL(`/${repository}/releases/latest`, origin)
  const response = await request(what, url, { method: 'HEAD', redirect: 'manual' })
  const [, found] = /\/releases\/tag\/([^/?]+)$/.exec(response.headers.get('location') ?? '') ?? []
  const [before, after] = tag.split('{version}') as [string, string]
  if (found?.startsWith(before) && found.endsWith(after)) return found.slice(before.length, found.length - after.length)
  throw new LabError({
    found: `${url.href} does not lead to a release`,
    expected: `a release with a tag like ${tag}`,
    next: 'give the version yourself: ./lab pins update PIN --to VERSION',
  })
}

/**
 * Returns the digests that the publisher lists for a version, by `os-arch`.
 * @throws LabError when the version is not published for each of the lab's platforms.
 */
export async function releaseDigests(lock: Lock, name: ToolName, version: string): Promise<Record<string, string>> {
  const { checksums } = lock.tools[name]
  const url = addressOf(lock, name)
  if (!checksums) throw unknownPublisher(lock, name)
  const files = new Map<string, Promise<string>>()
  const read = (address: URL): Promise<string> => {
    const text = files.get(address.href) ?? fetchText(`the checksums of ${name} ${version}`, address)
    files.set(address.href, text)
    return text
  }
  const digests = platforms.map(async platform => {
    const values = { ...platform, version }
    const file = expandUrl(url, lock.file, values).pathname.split('/').at(-1)!
    const address = expandUrl(checksums, lock.file, values)
    const digest = digestInChecksums(await read(address), file)
    if (digest) return [`${platform.os}-${platform.arch}`, digest] as const
    throw new LabError({
      found: `${address.href} does not list ${file}`,
      expected: `${name} ${version} for every platform of the lab`,
      next: 'wait until the release is complete, or give another version with --to',
    })
  })
  return Object.fromEntries(await Promise.all(digests))
}

/** Returns the node image that a release of kind names in its sources, with the digest that it was tested with. */
export async function kindNodeImage(lock: Lock, version: string): Promise<{ tag: string; digest: string }> {
  const github = gitHubRepository(addressOf(lock, 'kind'))
  if (!github) throw unknownPublisher(lock, 'kind')
  const { origin, repository, tag } = github
  const path = `/${repository}/raw/${tag.replace('{version}', version)}/pkg/apis/config/defaults/image.go`
  const text = await fetchText(`the node image of kind ${version}`, new URL(path, origin))
  const [, image, digest] = /"kindest\/node:([^@"]+)@(sha256:[0-9a-f]{64})"/.exec(text) ?? []
  if (image && digest) return { tag: image, digest }
  throw new LabError({
    found: `${origin}${path} names no node image with a digest`,
    next: `look it up in the release notes of kind ${version}, and set nodeImage in ${lock.file}`,
  })
}

function gitHubRepository(url: string): GitHubRepository | undefined {
  const [, origin, repository, tag] =
    /^(https?:\/\/[^/]+)\/([^/]+\/[^/]+)\/releases\/download\/([^/]+)\//.exec(url) ?? []
  return tag === undefined ? undefined : { origin: origin!, repository: repository!, tag }
}

function addressOf(lock: Lock, name: ToolName): string {
  const { url } = lock.tools[name]
  if (url) return url
  throw unknownPublisher(lock, name)
}

const unknownPublisher = (lock: Lock, name: ToolName): LabError =>
  new LabError({
    found: `The publisher of tools.${name} in ${lock.file} is unknown`,
    expected: 'an address of GitHub releases or nodejs.org, with checksums',
    next: `set the version of tools.${name} in ${lock.file} yourself`,
  })
