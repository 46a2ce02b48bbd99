import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { type Lock, readLock } from '../../../shared/lock.ts'
import { projectDir } from '../../../shared/paths.ts'
import { newFolder } from '../support/folders.ts'
import { archive, sha256 } from '../support/publisher.ts'

// One server on loopback for every publisher of the lab: a chart repository (index.yaml), an image registry (OCI
// distribution with tokens and pages), GitHub (redirects), nodejs.org and dl.k8s.io.

const platforms = ['linux/amd64', 'linux/arm64', 'darwin/amd64', 'darwin/arm64']

interface FakeTag {
  user?: string
  entrypoint?: string[]
  platforms?: string[]
}

/** Starts the server. Everything that it serves can be changed while it runs. */
export async function startPublishers() {
  const texts = new Map<string, string | Buffer | number>()
  const redirects = new Map<string, string>()
  /** Tags by repository. */
  const images = new Map<string, Map<string, FakeTag>>()
  /** The entries of each chart in the index, as YAML. */
  const charts = new Map<string, string[]>()
  const asked: string[] = []

  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    const { pathname, searchParams } = new URL(request.url!, base())
    const redirect = redirects.get(pathname)
    const found = texts.get(pathname)
    if (redirect !== undefined) response.writeHead(302, { location: redirect }).end()
    else if (pathname === '/token') sendJson(response, { token: tokenFor(searchParams.get('scope')!) })
    else if (pathname.startsWith('/v2/')) serveRegistry(request, response, pathname, searchParams)
    else if (typeof found === 'number' || found === undefined) response.writeHead(found ?? 404).end()
    else response.writeHead(200).end(found)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const host = `127.0.0.1:${port}`
  const base = (): string => `http://127.0.0.1:${port}`

  const tokenFor = (scope: string): string => Buffer.from(scope).toString('base64')

  /** Like Docker Hub, the registry wants a token for the repository, and lists two tags a page. */
  function serveRegistry(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    query: URLSearchParams,
  ): void {
    const [, repository = '', kind, reference = ''] = /^\/v2\/(.+)\/(tags|manifests|blobs)\/(.+)$/.exec(path) ?? []
    const scope = `repository:${repository}:pull`
    const tags = images.get(repository)
    const document = [...(tags ?? [])]
      .flatMap(([tag, about]) => documentsOf(tag, about))
      .find(each => each.tag === reference || each.digest === reference)
    if (request.headers.authorization !== `Bearer ${tokenFor(scope)}`) {
      const challenge = `Bearer realm="${base()}/token",service="fake",scope="${scope}"`
      response.writeHead(401, { 'www-authenticate': challenge }).end()
    } else if (tags && kind === 'tags') {
      const all = [...tags.keys()].sort()
      const from = all.indexOf(query.get('last') ?? '') + 1
      const page = all.slice(from, from + 2)
      const next = `</v2/${repository}/tags/list?n=2&last=${page.at(-1)}>; rel="next"`
      sendJson(response, { name: repository, tags: page }, from + 2 < all.length ? { link: next } : {})
    } else if (document) response.writeHead(200, { 'docker-content-digest': document.digest }).end(document.text)
    else response.writeHead(404).end()
  }

  return {
    texts,
    redirects,
    images,
    asked,
    base: base(),
    host,
    stop: (): Promise<void> => new Promise(resolve => server.close(() => resolve())),
    /** Publishes an image. */
    addTag: (repository: string, tag: string, about: FakeTag = {}): void => {
      const tags = images.get(repository) ?? new Map<string, FakeTag>()
      images.set(repository, tags.set(tag, about))
    },
    /** Publishes versions of a chart, the newest first, with these files. */
    addCharts: async (name: string, versions: Record<string, Record<string, string>>): Promise<void> => {
      const entries: string[] = []
      for (const [version, files] of Object.entries(versions)) {
        const bytes = await archive({
          [`${name}/Chart.yaml`]: `apiVersion: v2\nname: ${name}\nversion: ${version}\nappVersion: ${version}\n`,
          ...files,
        })
        texts.set(`/charts/${name}-${version}.tgz`, bytes)
        entries.push(
          `  - apiVersion: v2\n    digest: ${sha256(bytes)}\n    name: ${name}\n    urls:\n    - charts/${name}-${version}.tgz\n    version: ${version}\n`,
        )
      }
      charts.set(name, entries)
      texts.set('/index.yaml', indexOf(charts))
    },
    /** Publishes a release on the fake GitHub, with a checksum file for each platform. */
    addRelease: (repository: string, tag: string, files: Record<string, string>): void => {
      redirects.set(`/${repository}/releases/latest`, `${base()}/${repository}/releases/tag/${tag}`)
      for (const [file, text] of Object.entries(files))
        texts.set(`/${repository}/releases/download/${tag}/${file}`, text)
    },
  }
}
export type Publishers = Awaited<ReturnType<typeof startPublishers>>

const indexOf = (all: Map<string, string[]>): string =>
  `apiVersion: v1\nentries:\n${[...all].map(([name, entries]) => `  ${name}:\n${entries.join('')}`).join('')}generated: "2026-11-01T00:00:00Z"\n`

/** Returns the documents of a tag: the index, the manifest and the configuration of each platform. */
function documentsOf(
  tag: string,
  { user = '', entrypoint = ['/run'], platforms: of = platforms.slice(0, 2) }: FakeTag,
) {
  const digestOf = (text: string): string => `sha256:${sha256(text)}`
  const perPlatform = of.map(platform => {
    const [os, architecture] = platform.split('/')
    const config = JSON.stringify({ os, architecture, config: { User: user, Entrypoint: entrypoint }, tag })
    const manifest = JSON.stringify({ config: { digest: digestOf(config) } })
    return { os, architecture, config, manifest }
  })
  const index = JSON.stringify({
    manifests: perPlatform.map(({ os, architecture, manifest }) => ({
      digest: digestOf(manifest),
      platform: { os, architecture },
    })),
  })
  return [
    { tag, digest: digestOf(index), text: index },
    ...perPlatform.flatMap(({ config, manifest }) =>
      [config, manifest].map(text => ({ tag: undefined, digest: digestOf(text), text })),
    ),
  ]
}

const sendJson = (response: ServerResponse, value: unknown, headers: Record<string, string> = {}): void =>
  void response.writeHead(200, headers).end(JSON.stringify(value))

/** Returns the digest of a tag as the fake registry reports it. */
export const digestOfTag = (tag: string, about: FakeTag = {}): string => documentsOf(tag, about)[0]!.digest

/** Returns checksums of files for all platforms, by a file name with {os} and {arch}. */
export const checksumsOf = (file: string): string =>
  platforms
    .map(platform => {
      const [os, arch] = platform.split('/') as [string, string]
      const name = file
        .replace('{os}', os)
        .replace('{arch}', arch)
        .replace('{cpu}', arch === 'amd64' ? 'x64' : arch)
      return `${sha256(name)}  ${name}\n`
    })
    .join('')

/** Creates a checkout whose lock file has the addresses of the fake publishers, and the test data of the real one. */
export function newCheckout({ base, host }: Publishers): {
  folder: string
  lock: Lock
  read: (file: string) => string
} {
  const folder = newFolder()
  const copy = (file: string, change = (text: string): string => text): void => {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), change(readFileSync(join(projectDir, file), 'utf8')))
  }
  copy('lab.lock.yaml', text =>
    text
      .replace(/(index: )https:\S+/g, `$1${base}/index.yaml`)
      .replace(/https:\S+\/([a-z-]+-[\d.]+\.tgz)/g, `${base}/charts/$1`)
      .replace(/https:\/\/(github\.com|nodejs\.org|dl\.k8s\.io)/g, base)
      .replace(/(repository: )(?=[a-z])/g, `$1${host}/`),
  )
  const lock = readLock('', join(folder, 'lab.lock.yaml'))
  for (const [name, { version }] of Object.entries(lock.charts)) copy(`test/charts/${name}-${version}.keys`)
  for (const file of ['test/images/images.yaml', 'test/rig.lock.yaml']) copy(file)
  return { folder, lock, read: file => readFileSync(join(folder, file), 'utf8') }
}
