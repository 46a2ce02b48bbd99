import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from 'vitest'
import { LabError } from '../../../../../../shared/lab-error.ts'
import {
  address,
  type Bucket,
  checkBucket,
  readBucket,
} from '../../../../../../stacks/monitoring/loki/object-storage/main.ts'

const patience = { attempts: 2, waitMs: 0 }
let server: Server | undefined
afterEach(() => server?.close())

/** What a server answers instead of serving the request; undefined to serve it. */
type Refuse = (request: string, count: number) => { status: number; body?: string } | undefined

/** Starts a server that stores objects, and returns the bucket and the requests that it gets. */
async function startServer(refuse: Refuse = () => undefined): Promise<{ bucket: Bucket; requests: string[] }> {
  const objects = new Map<string, string>()
  const requests: string[] = []
  const own = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://s3')
    const body = await text(request)
    const name = `${request.method} ${searchParams.has('list-type') ? 'list' : 'object'}`
    requests.push(name)
    const refused = refuse(name, requests.filter(each => each === name).length)
    if (refused) return response.writeHead(refused.status).end(refused.body)
    if (!/^AWS4-HMAC-SHA256 Credential=key-id\//.test(request.headers.authorization ?? ''))
      return response.writeHead(403).end()
    const key = decodeURIComponent(pathname.slice('/events/'.length))
    if (request.method === 'PUT') objects.set(key, body)
    if (request.method === 'DELETE') return response.writeHead(objects.delete(key) ? 204 : 404).end()
    if (searchParams.has('list-type'))
      return response.end(
        `<ListBucketResult>${[...objects.keys()].map(each => `<Key>${each}</Key>`).join('')}</ListBucketResult>`,
      )
    return response.end(objects.get(key) ?? '')
  })
  server = own
  await new Promise<void>(resolve => own.listen(0, '127.0.0.1', resolve))
  const { port } = own.address() as AddressInfo
  return {
    requests,
    bucket: readBucket({
      ENDPOINT: `http://127.0.0.1:${port}`,
      BUCKET: 'events',
      REGION: 'garage',
      PATH_STYLE: 'true',
      SECRET: 'loki-object-storage',
      AWS_ACCESS_KEY_ID: 'key-id\n',
      AWS_SECRET_ACCESS_KEY: 'top-secret',
    }),
  }
}

const errorOf = async (bucket: Bucket): Promise<string> => {
  try {
    await checkBucket(bucket, patience)
  } catch (error) {
    return (error as Error).message
  }
  return 'no error'
}

it('puts, lists, gets and deletes an object', async () => {
  const { bucket, requests } = await startServer()
  await checkBucket(bucket, patience)
  expect(requests).toEqual(['PUT object', 'GET list', 'GET object', 'DELETE object'])
})

it('asks again while the server is overloaded', async () => {
  const { bucket, requests } = await startServer((_, count) => (count === 1 ? { status: 503 } : undefined))
  await checkBucket(bucket, patience)
  expect(requests.length).toBe(8)
})

it('deletes the object although it cannot be read', async () => {
  const { bucket, requests } = await startServer(name => (name === 'GET object' ? { status: 403 } : undefined))
  expect(await errorOf(bucket)).toContain('Cannot get an object')
  expect(requests.at(-1)).toBe('DELETE object')
})

it('has the address of AWS, with the bucket in the host name, where no other is set', () => {
  const bucket = readBucket({ BUCKET: 'events', REGION: 'eu-central-1' })
  expect(address(bucket, 'a/b').href).toBe('https://events.s3.eu-central-1.amazonaws.com/a/b')
  expect(address({ ...bucket, pathStyle: true, endpoint: 'http://s3:8333/' }, '').href).toBe('http://s3:8333/events/')
})

describe('a refusal', () => {
  const xml = (code: string, message: string): string =>
    `<Error><Code>${code}</Code><Message>${message}</Message><AWSAccessKeyId>key-id</AWSAccessKeyId><StringToSign>top-secret</StringToSign></Error>`

  it.each([
    [
      'SignatureDoesNotMatch',
      403,
      'correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the Secret monitoring/loki-object-storage',
    ],
    ['NoSuchBucket', 404, 'create the bucket, or correct loki.objectStorage.bucket'],
    ['PermanentRedirect', 301, 'correct loki.objectStorage.region and loki.objectStorage.endpoint'],
    ['AccessDenied', 403, 'allow the key to put, get, list and delete objects in events'],
  ])('for %s names the fix, as an error of the lab, and no key', async (code, status, next) => {
    const { bucket } = await startServer(() => ({ status, body: xml(code, 'No such key: key-id') }))
    const message = await errorOf(bucket)
    expect(message).not.toMatch(/key-id|top-secret/)
    // As Pulumi prints it.
    expect(LabError.parse(`[Pod monitoring/check]: [Error] ${message}`)).toMatchObject({
      found: `Cannot put an object in the bucket events at ${bucket.endpoint}: ${status} ${code} No such key: …`,
      next,
    })
  })

  it('names the address of a server that does not answer', async () => {
    const { bucket } = await startServer()
    server?.close()
    expect(await errorOf(bucket)).toContain(`The object storage ${bucket.endpoint} does not answer`)
  })
})
