import { LabError } from '../../shared/lab-error.ts'
import { request } from './request.ts'

// Reads image registries over the OCI distribution protocol, without a login.

/** What a registry knows about a tag. */
export interface PublishedTag {
  /** The digest under which all platforms are pulled. */
  digest: string
  /** Those of the lab's platforms for which it is published. */
  platforms: string[]
  /** The user in its configuration; empty for root. */
  user: string
  entrypoint: string[]
}

interface Manifest {
  manifests?: { digest: string; platform?: { os: string; architecture: string } }[]
  config?: { digest: string }
}
interface Configuration {
  os: string
  architecture: string
  config?: { User?: string; Entrypoint?: string[] | null }
}

const manifestTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ')

const labPlatforms = ['linux/amd64', 'linux/arm64']

/** A repository of images in its registry. */
export interface ImageRepository {
  /** Returns all its tags. @throws LabError when the registry does not respond or does not have the repository. */
  tags(): Promise<string[]>
  /** Returns the digest of a tag. @throws LabError as `tags`. */
  digest(tag: string): Promise<string>
  /** Describes a tag. @throws LabError as `tags`. */
  describe(tag: string): Promise<PublishedTag>
}

/** Opens a repository by its full name, as in docker.io/grafana/loki. */
export function openRepository(repository: string): ImageRepository {
  const slash = repository.indexOf('/')
  const base = registryUrl(repository.slice(0, slash))
  const name = repository.slice(slash + 1)
  let token: string | undefined

  /** Sends a request, with a token if the registry asks for one. */
  async function send(what: string, url: URL, method = 'GET'): Promise<Response> {
    const sendOnce = () =>
      request(
        what,
        url,
        { method, headers: { accept: manifestTypes, ...(token && { authorization: `Bearer ${token}` }) } },
        status => status < 400 || status === 401,
      )
    const response = await sendOnce()
    if (response.status !== 401) return response
    await response.body?.cancel()
    token = await fetchToken(response.headers.get('www-authenticate') ?? '', repository)
    const second = await sendOnce()
    if (second.status !== 401) return second
    await second.body?.cancel()
    throw loginError(repository)
  }
  const at = (path: string): URL => new URL(`/v2/${name}/${path}`, base)

  async function digest(tag: string): Promise<string> {
    const response = await send(`the image ${repository}:${tag}`, at(`manifests/${tag}`), 'HEAD')
    const found = response.headers.get('docker-content-digest')
    if (found) return found
    throw new LabError({
      found: `${base.host} does not name the digest of ${repository}:${tag}`,
      next: 'try again later',
    })
  }

  return {
    digest,
    async tags() {
      const tags: string[] = []
      let page: URL | undefined = at('tags/list?n=1000')
      while (page) {
        const response: Response = await send(`the tags of ${repository}`, page)
        const list = (await response.json()) as { tags: string[] | null }
        tags.push(...(list.tags ?? []))
        const [, next] = /<([^>]+)>;\s*rel="?next"?/.exec(response.headers.get('link') ?? '') ?? []
        page = next === undefined ? undefined : new URL(next, page)
      }
      return tags
    },
    async describe(tag) {
      const what = `the image ${repository}:${tag}`
      const top = (await (await send(what, at(`manifests/${tag}`))).json()) as Manifest
      const platforms = (top.manifests ?? []).flatMap(({ digest, platform }) => {
        const platformName = `${platform?.os}/${platform?.architecture}`
        return labPlatforms.includes(platformName) ? [{ digest, name: platformName }] : []
      })
      const manifest = platforms[0]
        ? ((await (await send(what, at(`manifests/${platforms[0].digest}`))).json()) as Manifest)
        : top
      const blob = await send(what, at(`blobs/${manifest.config!.digest}`))
      const { os, architecture, config } = (await blob.json()) as Configuration
      const published = top.manifests ? platforms.map(platform => platform.name) : [`${os}/${architecture}`]
      return {
        digest: await digest(tag),
        platforms: labPlatforms.filter(platform => published.includes(platform)),
        user: config?.User ?? '',
        entrypoint: config?.Entrypoint ?? [],
      }
    },
  }
}

/** Docker Hub answers under another name. As in Docker, a registry on this machine needs no TLS. */
function registryUrl(host: string): URL {
  if (host === 'docker.io') return new URL('https://registry-1.docker.io')
  return new URL(`${/^(localhost|127\.[\d.]+)(:\d+)?$/.test(host) ? 'http' : 'https'}://${host}`)
}

/** Fetches the token that a registry gives everyone, from the address in its challenge. */
async function fetchToken(challenge: string, repository: string): Promise<string> {
  const value = (name: string): string | undefined => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1]
  const realm = value('realm')
  if (!/^bearer/i.test(challenge) || realm === undefined) throw loginError(repository)
  const url = new URL(realm)
  for (const name of ['service', 'scope']) {
    const given = value(name)
    if (given !== undefined) url.searchParams.set(name, given)
  }
  const response = await request(`a token for ${repository}`, url)
  const { token, access_token } = (await response.json()) as { token?: string; access_token?: string }
  return token ?? access_token ?? ''
}

const loginError = (repository: string): LabError =>
  new LabError({
    found: `The registry of ${repository} wants a login`,
    expected: 'a public image',
    next: 'give the version yourself: ./lab pins update PIN --to VERSION',
  })
