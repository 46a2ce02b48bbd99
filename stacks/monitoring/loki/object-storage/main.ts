// Proves that Loki can use its bucket: puts, lists, gets and deletes an object, with Loki's own credentials.
//
// A pod mounts this folder into a plain Node image, so no module here may import anything from outside of it. What the
// program prints ends up in the pod's status and in Pulumi's log: never a key, nor the text that a server signs.
import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Credentials, type S3Request, signedHeaders } from './signature.ts'

/** A bucket and the access to it. */
export interface Bucket extends Credentials {
  name: string
  /** Empty for that of AWS. */
  endpoint: string
  pathStyle: boolean
  /** Name of the Secret with the credentials. */
  secret: string
}

/** A refused step, with its explanation in the form of the lab's errors. */
export class StorageError extends Error {
  constructor(found: string, next: string) {
    super(`Error     ${found}\nFix       ${next}`)
  }
}

/** Reads the bucket from environment variables. */
export const readBucket = (env: Record<string, string | undefined>): Bucket => ({
  name: env.BUCKET ?? '',
  endpoint: env.ENDPOINT ?? '',
  region: env.REGION ?? '',
  pathStyle: env.PATH_STYLE === 'true',
  secret: env.SECRET ?? '',
  accessKeyId: env.AWS_ACCESS_KEY_ID?.trim() ?? '',
  secretAccessKey: env.AWS_SECRET_ACCESS_KEY?.trim() ?? '',
})

/** How often a server that does not answer is asked, and how long to wait in between. */
interface Patience {
  attempts: number
  waitMs: number
}

/**
 * Puts, lists, gets and deletes an object.
 * @throws StorageError for the first step that the server refuses.
 */
export async function checkBucket(bucket: Bucket, patience: Patience = { attempts: 6, waitMs: 5000 }): Promise<void> {
  const key = `tetragon-lab-check/${randomUUID()}`
  const content = `Written by Tetragon Lab at ${new Date().toISOString()}. It can be deleted.`
  const ask = (step: string, request: Omit<S3Request, 'url'>, path = key, query = '') =>
    send(bucket, step, { ...request, url: address(bucket, path, query) }, patience)
  await ask('put an object', { method: 'PUT', body: content })
  try {
    const list = await ask('list objects', { method: 'GET' }, '', `list-type=2&prefix=${encodeURIComponent(key)}`)
    if (!list.includes(`<Key>${key}</Key>`))
      throw new StorageError(`${bucket.name} does not list an object that was just put into it`, 'check the S3 server')
    if ((await ask('get an object', { method: 'GET' })) !== content)
      throw new StorageError(`${bucket.name} returns another object than was put into it`, 'check the S3 server')
  } finally {
    await ask('delete an object', { method: 'DELETE' })
  }
}

/** Returns the address of an object, or of the bucket for an empty key. */
export function address({ name, endpoint, region, pathStyle }: Bucket, key: string, query = ''): URL {
  const url = new URL(endpoint || `https://s3.${region}.amazonaws.com`)
  if (!pathStyle) url.hostname = `${name}.${url.hostname}`
  url.pathname = [url.pathname.replace(/\/$/, ''), ...(pathStyle ? [name] : []), key].join('/')
  url.search = query
  return url
}

async function send(bucket: Bucket, step: string, request: S3Request, { attempts, waitMs }: Patience): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    const { status, text } = await sendOnce(request, bucket)
    if (status >= 200 && status < 300) return text
    const temporary = status === 0 || status === 429 || status >= 500
    if (!temporary || attempt >= attempts) throw refusal(bucket, step, status, text)
    await sleep(waitMs)
  }
}

/** @returns status 0 and the reason where no server answers. */
async function sendOnce(request: S3Request, bucket: Bucket): Promise<{ status: number; text: string }> {
  const { method, url, body } = request
  try {
    const response = await fetch(url, {
      method,
      body,
      headers: signedHeaders(request, bucket),
      redirect: 'manual',
      signal: AbortSignal.timeout(10_000),
    })
    return { status: response.status, text: await response.text() }
  } catch (error) {
    const { cause, message } = error as Error
    return { status: 0, text: cause instanceof Error ? cause.message : message }
  }
}

function refusal(bucket: Bucket, step: string, status: number, text: string): StorageError {
  const { name, secret } = bucket
  const server = address(bucket, '').origin
  if (status === 0)
    return new StorageError(
      `The object storage ${server} does not answer: ${withoutKeys(text, bucket)}`,
      'correct loki.objectStorage.endpoint, or let the cluster reach it',
    )
  const code = element(text, 'Code')
  const message = withoutKeys(element(text, 'Message'), bucket)
  const found = `Cannot ${step} in the bucket ${name} at ${server}: ${[status, code, message].filter(Boolean).join(' ')}`
  if (/^(InvalidAccessKeyId|SignatureDoesNotMatch|InvalidSecurity)/.test(code))
    return new StorageError(
      found,
      `correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the Secret monitoring/${secret}`,
    )
  if (code === 'NoSuchBucket') return new StorageError(found, `create the bucket, or correct loki.objectStorage.bucket`)
  if (status === 301 || status === 307 || /^(AuthorizationHeaderMalformed|PermanentRedirect)$/.test(code))
    return new StorageError(found, 'correct loki.objectStorage.region and loki.objectStorage.endpoint')
  return new StorageError(found, `allow the key to put, get, list and delete objects in ${name}`)
}

/** Returns the text of an element in S3's error, which also contains the key id and the text to sign. */
const element = (xml: string, name: string): string => new RegExp(`<${name}>([^<]{0,200})`).exec(xml)?.[1] ?? ''

const withoutKeys = (text: string, { accessKeyId, secretAccessKey }: Bucket): string =>
  [accessKeyId, secretAccessKey].filter(Boolean).reduce((shown, key) => shown.replaceAll(key, '…'), text)

if (import.meta.main) {
  const bucket = readBucket(process.env)
  try {
    await checkBucket(bucket)
    console.log(`An object was put into ${bucket.name}, listed, read and deleted.`)
  } catch (error) {
    const text = error instanceof StorageError ? error.message : `Error     ${(error as Error).name}`
    console.error(text)
    // Kubernetes copies it to the pod's status, from where Pulumi prints it.
    writeFileSync('/dev/termination-log', text)
    process.exitCode = 1
  }
}
