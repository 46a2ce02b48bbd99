import { createHash, createHmac } from 'node:crypto'

// AWS Signature Version 4: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
// A pod mounts this folder into a plain Node image, so no module here may import anything from outside of it.

/** Access to one region of an S3 server. */
export interface Credentials {
  region: string
  accessKeyId: string
  secretAccessKey: string
}

/** A request to sign. */
export interface S3Request {
  method: 'GET' | 'PUT' | 'DELETE'
  url: URL
  body?: string
  /** Headers that are signed too, with names in lower case. */
  headers?: Record<string, string>
}

/** Returns the headers of a request, with its signature. `fetch` adds `host`, which is signed too. */
export function signedHeaders(
  { method, url, body = '', headers = {} }: S3Request,
  { region, accessKeyId, secretAccessKey }: Credentials,
  now = new Date(),
): Record<string, string> {
  const time = `${now.toISOString().replaceAll(/[-:]|\.\d+/g, '')}`
  const scope = [time.slice(0, 8), region, 's3', 'aws4_request']
  const own = { ...headers, 'x-amz-content-sha256': sha256(body), 'x-amz-date': time }
  const signed = Object.entries({ ...own, host: url.host }).sort(([a], [b]) => (a < b ? -1 : 1))
  const names = signed.map(([name]) => name).join(';')
  const canonical = [
    method,
    url.pathname
      .split('/')
      .map(part => encode(decodeURIComponent(part)))
      .join('/'),
    canonicalQuery(url.searchParams),
    ...signed.map(([name, value]) => `${name}:${value.trim()}`),
    '',
    names,
    own['x-amz-content-sha256'],
  ].join('\n')
  const text = ['AWS4-HMAC-SHA256', time, scope.join('/'), sha256(canonical)].join('\n')
  const key = scope.reduce<string | Buffer>((secret, part) => hmac(secret, part), `AWS4${secretAccessKey}`)
  const signature = hmac(key, text).toString('hex')
  return {
    ...own,
    authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope.join('/')},SignedHeaders=${names},Signature=${signature}`,
  }
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

/** Encodes text as AWS does, which leaves fewer characters as they are than `encodeURIComponent`. */
const encode = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)

const canonicalQuery = (parameters: URLSearchParams): string =>
  [...parameters]
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&')
