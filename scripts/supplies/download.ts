import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { rename, rm, stat } from 'node:fs/promises'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import pRetry, { AbortError } from 'p-retry'
import { LabError } from '../../shared/lab-error.ts'
import { remember, remembered } from './remembered-digests.ts'
import { retryPolicy } from './retry.ts'

/** Called with the bytes that came so far and, where the server says it, how many there will be. */
export type OnBytes = (done: number, total?: number) => void

/** How a digest was known before the bytes came. */
export type Trust =
  /** It stands in the lock file. */
  | 'pinned'
  /** The publisher's own checksum file or index gave it. */
  | 'published'
  /** It was seen at an earlier fetch. */
  | 'remembered'
  /** It was not known: the first fetch is taken on trust, and remembered. */
  | 'first seen'

export interface Wanted {
  /** For messages: `chart loki 18.11.0`. */
  what: string
  url: URL
  /** Where it is put, at once and whole. */
  to: string
  /** The digest in the lock file. */
  sha256?: string | undefined
  /** Asks the publisher for the digest; called only when neither the lock nor memory has it. */
  published?: (() => Promise<string>) | undefined
  onBytes?: OnBytes | undefined
  /** Looks at the verified file before it is put in place; throws when it is not what was asked for. */
  inspect?: ((file: string) => Promise<void>) | undefined
}

/** Seconds without a byte after which a download is given up and tried again. */
const stallSeconds = 30

/**
 * Fetches a file and puts it in place only when its digest is the expected one.
 *
 * Expected is, in this order: what the lock pins, what was remembered from an earlier fetch, what the publisher says.
 * @throws LabError for an address that does not answer or does not have it, and for a digest that differs.
 */
export async function fetchVerified(wanted: Wanted): Promise<Trust> {
  const { what, url, to } = wanted
  const { digest, trust } = await expectedDigest(wanted)
  const part = `${to}.${randomUUID()}.part`
  try {
    const actual = await retrying(() => fetchFile(what, url, part, wanted.onBytes))
    if (digest && actual !== digest) throw wrongDigest(what, url, actual, digest, trust)
    await wanted.inspect?.(part)
    if (trust !== 'pinned') await remember({ [url.href]: actual })
    await rename(part, to)
    return trust
  } finally {
    await rm(part, { force: true })
  }
}

/** What a file must be, as far as that is known without asking the network. */
export function knownDigest(wanted: Pick<Wanted, 'url' | 'sha256'>): { digest: string; trust: Trust } | undefined {
  if (wanted.sha256) return { digest: wanted.sha256, trust: 'pinned' }
  const digest = remembered(wanted.url.href)
  return digest ? { digest, trust: 'remembered' } : undefined
}

async function expectedDigest(wanted: Wanted): Promise<{ digest?: string; trust: Trust }> {
  const known = knownDigest(wanted)
  if (known) return known
  if (wanted.published) return { digest: await wanted.published(), trust: 'published' }
  return { trust: 'first seen' }
}

/** A small text, such as a checksum file. @throws LabError as `fetchVerified`. */
export const fetchText = (what: string, url: URL): Promise<string> =>
  retrying(async () => {
    const chunks: Uint8Array[] = []
    for await (const chunk of (await open(what, url)).body) chunks.push(chunk as Uint8Array)
    return Buffer.concat(chunks).toString('utf8')
  })

/** How many bytes an address leads to, where that can be known without fetching them. */
export async function sizeAt(url: URL): Promise<number | undefined> {
  if (url.protocol === 'file:')
    return stat(fileURLToPath(url)).then(
      found => found.size,
      () => undefined,
    )
  const response = await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(5000) }).catch(() => undefined)
  const length = response?.ok ? response.headers.get('content-length') : null
  return length ? Number(length) : undefined
}

/** The sha256 of a file, in hexadecimal digits. */
export async function fileDigest(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}

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

async function open(what: string, url: URL): Promise<{ body: Readable; total?: number }> {
  if (url.protocol === 'file:') {
    const path = fileURLToPath(url)
    const found = await stat(path).catch(() => undefined)
    if (!found?.isFile())
      throw new LabError({
        found: `no file ${path} for ${what}`,
        expected: 'the file that the lock names',
        next: `put it there, or use another lock: --lock FILE`,
      })
    return { body: createReadStream(path), total: found.size }
  }
  const stalled = new AbortController()
  const watch = setTimeout(() => stalled.abort(new Error(`nothing came for ${stallSeconds} s`)), stallSeconds * 1000)
  watch.unref()
  let response: Response
  try {
    // A proxy that compresses what is compressed already would change the digest
    response = await fetch(url, { signal: stalled.signal, headers: { 'accept-encoding': 'identity' } })
  } catch (cause) {
    clearTimeout(watch)
    throw unreachable(what, url, cause)
  }
  if (!response.ok || !response.body) {
    clearTimeout(watch)
    await response.body?.cancel()
    throw refused(what, url, response.status)
  }
  const body = Readable.fromWeb(response.body)
  body.on('data', () => watch.refresh()).once('close', () => clearTimeout(watch))
  body.pause()
  const length = response.headers.get('content-length')
  return length === null ? { body } : { body, total: Number(length) }
}

/** A failure that may pass: worth another try. */
class Passing extends LabError {}

const retrying = async <T>(attempt: () => Promise<T>): Promise<T> =>
  pRetry(
    () =>
      attempt().catch((error: unknown) => {
        throw error instanceof Passing ? error : new AbortError(error as Error)
      }),
    retryPolicy,
  )

function refused(what: string, url: URL, status: number): LabError {
  const says = {
    found: `${url.host} answers ${status} for ${what} (${url.pathname})`,
    expected: 'the file that the lock names',
    next: 'look at the version and the address in lab.lock.yaml, or name a mirror: --lock FILE',
  }
  if (status >= 500 || status === 429 || status === 408)
    return new Passing({ ...says, expected: `an answer of ${url.host}`, next: 'try again in a while' })
  return new LabError(says)
}

function unreachable(what: string, url: URL, error: unknown): LabError {
  if (error instanceof LabError) return error
  const cause = (error as { cause?: unknown }).cause ?? error
  const reason = (cause as { code?: string }).code ?? (cause as Error).message
  return new Passing({
    found: `${url.host} cannot be reached for ${what} (${reason})`,
    expected: `a network that reaches ${url.host}`,
    next: 'check the network (HTTPS_PROXY is honoured) and repeat, or name a mirror: --lock FILE',
    cause: error,
  })
}

function wrongDigest(what: string, url: URL, actual: string, digest: string, trust: Trust): LabError {
  const [where, next] = {
    pinned: ['in the lock', 'somebody changed the file or the lock; ask before you trust it: git log -p lab.lock.yaml'],
    published: ['published beside it', 'try again; a proxy or a broken download may have changed the file'],
    remembered: [
      'seen before',
      `if the change is known and right, remove the line of ${url.href} from .lab/remembered.json`,
    ],
    'first seen': ['', ''],
  }[trust]
  return new LabError({
    found: `${what} from ${url.host || fileURLToPath(url)} has sha256 ${actual}`,
    expected: `${digest}, the digest ${where}`,
    next: next!,
  })
}
