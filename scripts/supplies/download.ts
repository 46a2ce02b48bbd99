import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { rename, rm, stat } from 'node:fs/promises'
import { Readable, Transform } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { LabError } from '../../shared/lab-error.ts'
import { rememberDigests, rememberedDigest } from './remembered-digests.ts'
import { TransientError, withRetries } from './retry.ts'

/** Receives the number of bytes so far and, where the server reports it, the total. */
export type OnBytes = (done: number, total?: number) => void

/** How a digest was known before the download. */
export type Trust =
  /** The lock file pins it. */
  | 'pinned'
  /** The publisher's checksum file or index lists it. */
  | 'published'
  /** An earlier download stored it. */
  | 'remembered'
  /** It was unknown: the first download is trusted, and its digest stored. */
  | 'first seen'

export interface Download {
  /** Name for messages, for example `chart loki 18.11.0`. */
  what: string
  url: URL
  /** Path of the file, which appears only when it is complete and verified. */
  to: string
  /** The digest in the lock file. */
  sha256?: string | undefined
  /** Fetches the digest from the publisher; called only when it is neither pinned nor remembered. */
  published?: (() => Promise<string>) | undefined
  onBytes?: OnBytes | undefined
  /** Checks the content of the verified file before it is moved to its path. @throws when it is the wrong one. */
  inspect?: ((file: string) => Promise<void>) | undefined
}

/** A download that receives no byte for this long is aborted and retried. */
const stallSeconds = 30

/**
 * Downloads a file and moves it to its path only when its digest is the expected one: the one in the lock, else the one
 * of an earlier download, else the one that the publisher lists.
 * @throws LabError for a server that does not respond or does not have the file, and for a wrong digest.
 */
export async function fetchVerified(download: Download): Promise<Trust> {
  const { what, url, to } = download
  const { digest, trust } = await expectedDigest(download)
  const part = `${to}.${randomUUID()}.part`
  try {
    const actual = await withRetries(() => fetchFile(what, url, part, download.onBytes))
    if (digest && actual !== digest) throw wrongDigest(what, url, actual, digest, trust)
    await download.inspect?.(part)
    if (trust !== 'pinned') await rememberDigests({ [url.href]: actual })
    await rename(part, to)
    return trust
  } finally {
    await rm(part, { force: true })
  }
}

/** Returns the digest that a file must have, as far as it is known without the network. */
export function knownDigest(download: Pick<Download, 'url' | 'sha256'>): { digest: string; trust: Trust } | undefined {
  if (download.sha256) return { digest: download.sha256, trust: 'pinned' }
  const digest = rememberedDigest(download.url.href)
  return digest ? { digest, trust: 'remembered' } : undefined
}

async function expectedDigest(download: Download): Promise<{ digest?: string; trust: Trust }> {
  const known = knownDigest(download)
  if (known) return known
  if (download.published) return { digest: await download.published(), trust: 'published' }
  return { trust: 'first seen' }
}

/** Returns a small text file, such as a checksum file. @throws LabError as `fetchVerified`. */
export const fetchText = (what: string, url: URL): Promise<string> =>
  withRetries(async () => text((await open(what, url)).body))

/** Returns the size of a file in bytes, or undefined where the server does not report it. */
export async function downloadSize(url: URL): Promise<number | undefined> {
  if (url.protocol === 'file:')
    return stat(fileURLToPath(url)).then(
      found => found.size,
      () => undefined,
    )
  const response = await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(5000) }).catch(() => undefined)
  const length = response?.ok ? response.headers.get('content-length') : null
  return length ? Number(length) : undefined
}

/** Returns whether a path is that of a file. */
export const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    found => found.isFile(),
    () => false,
  )

/** Returns the sha256 of a file in hexadecimal digits. */
export async function fileDigest(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}

/** Writes the file and returns its digest. */
async function fetchFile(what: string, url: URL, to: string, onBytes?: OnBytes): Promise<string> {
  const { body, total } = await open(what, url)
  const hash = createHash('sha256')
  let done = 0
  const count = new Transform({
    transform(chunk: Buffer, _, next) {
      hash.update(chunk)
      done += chunk.length
      onBytes?.(done, total)
      next(null, chunk)
    },
  })
  try {
    await pipeline(body, count, createWriteStream(to, { mode: 0o600 }))
  } catch (cause) {
    throw unreachable(what, url, cause)
  }
  return hash.digest('hex')
}

interface Source {
  body: Readable
  /** Bytes, where known. */
  total?: number
}

const open = (what: string, url: URL): Promise<Source> =>
  url.protocol === 'file:' ? openFile(what, fileURLToPath(url)) : openUrl(what, url)

async function openFile(what: string, path: string): Promise<Source> {
  const found = await stat(path).catch(() => undefined)
  if (found?.isFile()) return { body: createReadStream(path), total: found.size }
  throw new LabError({
    found: `The file ${path} for ${what} does not exist`,
    next: 'put it there, or use another lock: --lock FILE',
  })
}

async function openUrl(what: string, url: URL): Promise<Source> {
  const stalled = new AbortController()
  const timer = setTimeout(() => stalled.abort(new Error(`no data for ${stallSeconds} s`)), stallSeconds * 1000)
  timer.unref()
  let response: Response
  try {
    // A proxy that compresses an already compressed file would change its digest
    response = await fetch(url, { signal: stalled.signal, headers: { 'accept-encoding': 'identity' } })
  } catch (cause) {
    clearTimeout(timer)
    throw unreachable(what, url, cause)
  }
  if (!response.ok || !response.body) {
    clearTimeout(timer)
    await response.body?.cancel()
    throw refused(what, url, response.status)
  }
  const body = Readable.fromWeb(response.body)
  body.on('data', () => timer.refresh()).once('close', () => clearTimeout(timer))
  body.pause()
  const length = response.headers.get('content-length')
  return length === null ? { body } : { body, total: Number(length) }
}

/** Describes a response with an error status. */
export function refused(what: string, url: URL, status: number): LabError {
  const found = `${url.host} answered ${status} for ${what} (${url.pathname})`
  if (status >= 500 || status === 429 || status === 408)
    return new TransientError({ found, next: 'try again in a few minutes' })
  return new LabError({ found, next: 'check the version and URL in lab.lock.yaml, or use a mirror: --lock FILE' })
}

/** Describes why there was no response. A network may come back, so some of these errors are transient. */
export function unreachable(what: string, url: URL, error: unknown): LabError {
  if (error instanceof LabError) return error
  const cause = (error as { cause?: unknown }).cause ?? error
  const reason = (cause as { code?: string }).code ?? (cause as Error).message
  return new TransientError({
    found: `Cannot reach ${url.host} to download ${what} (${reason})`,
    next: 'check the network and HTTPS_PROXY, then repeat, or use a mirror: --lock FILE',
    cause: error,
  })
}

function wrongDigest(what: string, url: URL, actual: string, digest: string, trust: Trust): LabError {
  const [origin, next] = {
    pinned: ['in the lock', 'find out who changed the file or the lock before you trust it: git log -p lab.lock.yaml'],
    published: ['that the publisher lists', 'repeat; a proxy or an interrupted download may have changed the file'],
    remembered: [
      'of the first download',
      `if the change is legitimate, remove the line of ${url.href} from .lab/remembered.json`,
    ],
    'first seen': ['', ''],
  }[trust]
  return new LabError({
    found: `The sha256 of ${what} from ${url.host || fileURLToPath(url)} is ${actual}`,
    expected: `${digest}, the digest ${origin}`,
    next: next!,
  })
}
